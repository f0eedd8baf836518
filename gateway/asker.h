#pragma once

#include "auth/dns/resolver.h"
#include "auth/pipeline.h"
#include "base/doorbell.h"
#include "gateway/handoff.h"

/*
 * A thread that evaluates mail, as the resolver knows it: questions of its engine to the resolver,
 * and answers back.
 */

/* Questions of one thread that may be on their way at once: what either ring holds. */
#define ASKER_CREDIT 4096

struct dns_request {
	struct resolver_token token;
	struct dns_question question;
};

struct dns_reply {
	struct resolver_token token;
	const struct dns_answer *answer; /* held once for the receiver */
};

struct asker {
	uint32_t index;      /* among the resolver's askers: `lcore` of its tokens */
	unsigned open;       /* questions on their way */
	struct early *early; /* asks ahead of any mail; NULL: this thread meets no clients */
	struct handoff *to_resolver, *from_resolver;
};

/* What its rings take of DPDK's memory. */
static inline size_t asker_octets(void)
{
	return handoff_octets(ASKER_CREDIT, sizeof(struct dns_request)) +
	       handoff_octets(ASKER_CREDIT, sizeof(struct dns_reply));
}

/* The bells are those of the resolver and of the thread that asks. 0 or -errno. */
int asker_init(
	struct asker *asker, uint32_t index, struct doorbell *resolver, struct doorbell *self);
/* Nobody answers any more; `early` is freed too. */
void asker_fini(struct asker *asker);

/* The asker's thread: answers to the engine (NULL: there is none here); returns how many. */
unsigned asker_take(struct asker *asker, struct auth_engine *engine, uint64_t now_us);
/* The asker's thread: what the engine asks, as far as there is credit; returns how many. */
unsigned asker_send(struct asker *asker, struct auth_engine *engine);
bool asker_has_answers(const struct asker *asker);
