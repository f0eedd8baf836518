#pragma once

#include "auth/dns/dns.h"
#include "auth/dns/dns_cache.h"

/*
 * The resolver's thread body: libunbound's event interface (or a zone file), the only writer of the
 * cache. Runs on one thread of its own; the gateway owns that thread and the rings to it.
 */
struct resolver;

enum resolver_mode { RESOLVER_RECURSIVE, RESOLVER_FORWARD, RESOLVER_ZONE };

#define RESOLVER_FORWARD_MAX 8

struct resolver_config {
	enum resolver_mode mode;
	const char *forward[RESOLVER_FORWARD_MAX]; /* ADDRESS or ADDRESS@PORT */
	unsigned n_forward;
	const char *zone_file;
	const char *root_key; /* DNSSEC trust anchor file; NULL: no validation */
	uint32_t timeout_ms;  /* a question without an answer by then is DNS_TIMEOUT; the wait in
				 line counts */
	/*
	 * Questions on the wire at once; RESOLVER_LINE_FACTOR times as many wait in line. Fewer
	 * where RLIMIT_NOFILE leaves too few sockets: each question takes as many as its like could
	 * leave behind (see resolver_net.c).
	 */
	uint32_t max_open;
};

#define RESOLVER_LINE_FACTOR 8u /* different questions known at once, for each on the wire */
#define RESOLVER_WAITER_FACTOR                                                                     \
	32u /* waiters for them; whoever comes after that is told DNS_SERVFAIL */

/*
 * Where an answer is to go; the resolver only carries it. `lcore`, `slot` and `generation` name the
 * mail, `index` its question.
 */
struct resolver_token {
	uint32_t lcore, slot, generation, index;
};

typedef void (*resolver_done_fn)(
	void *arg, const struct resolver_token *token, const struct dns_answer *answer);

/*
 * `done` gets every answer, held once for it. 0 or -errno with the reason in `why`. Opens its
 * sockets as questions come, and raises RLIMIT_NOFILE where `max_open` needs it.
 */
int resolver_new(const struct resolver_config *config, struct dns_cache *cache,
	const struct dns_parsers *parsers, resolver_done_fn done, void *arg, struct resolver **out,
	struct text *why);
/* Questions still open are forgotten; `done` is not called for them. */
void resolver_free(struct resolver *resolver);

/* The same question asked by many is sent once. `done` may be called from inside. */
void resolver_ask(struct resolver *resolver, const struct dns_question *question,
	const struct resolver_token *token);
/*
 * Wait for answers, for `wake_fd` (a doorbell; -1 for none) or `timeout_ms` (-1: no limit), and
 * deal with what has come. Tidies the cache now and then.
 */
void resolver_run_once(struct resolver *resolver, int wake_fd, int timeout_ms);
struct counter_block;
const struct counter_block *resolver_counters(const struct resolver *resolver);
