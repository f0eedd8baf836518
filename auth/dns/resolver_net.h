#pragma once

#include "auth/dns/resolver.h"

struct event_base;

/*
 * libunbound behind one call: what its context needs, in which order, and what its answers mean.
 * Answers come from within event_base_loop(), or from within resolver_net_ask() where they are
 * known already.
 */
struct resolver_net;

/* What came back; `packet` lives as long as the call. */
struct resolver_net_reply {
	enum dns_outcome outcome; /* OK: see the packet; else SERVFAIL or BOGUS */
	bool secure;
	struct bytes packet;
};

/* Lies in what asks. `reply` must not ask or cancel: libunbound is not to be entered twice. */
struct resolver_net_asker {
	void (*reply)(struct resolver_net_asker *asker, const struct resolver_net_reply *reply);
	int id;
};

int resolver_net_new(const struct resolver_config *config, struct event_base *events,
	struct resolver_net **out, struct text *why);
void resolver_net_free(struct resolver_net *net);

/* As many questions as may be open at once: the configured number, or what the descriptors allow.
 */
uint32_t resolver_net_max_open(const struct resolver_net *net);

/* false: it could not be asked, and `reply` is not called. */
bool resolver_net_ask(struct resolver_net *net, const struct dns_question *question,
	struct resolver_net_asker *asker);
/* `reply` will not be called for it any more. */
void resolver_net_cancel(struct resolver_net *net, struct resolver_net_asker *asker);
