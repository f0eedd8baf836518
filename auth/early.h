#pragma once

#include "auth/dns/dns_cache.h"
#include "base/counters.h"
#include "base/ip_addr.h"

/*
 * Questions that can be asked before there is a mail: for a client that has greeted, its names
 * (iprev) with their addresses, and the SPF record of its HELO name. Nobody waits for the answers:
 * they go to the cache, where the mail finds them, or the mail's own question joins the one that is
 * out. So a session keeps nothing of it.
 *
 * One thread owns it. All of it is bounded: where too many are out, nothing is asked early.
 */

/* Places for questions, by their hash: two that meet in one are not both asked early. */
#define EARLY_PLACES 1024
/* Questions out at once; mails have far more. */
#define EARLY_OPEN_MAX 256
/* For so long it is known when a question was asked: a peer has as long for its next command
 * (RFC 5321 §4.5.3.2). */
#define EARLY_TOLD_US (300 * UINT64_C(1000000))

#define EARLY_COUNTERS(X)                                                                          \
	X(EARLY_ASKED, "dns_early", "questions asked before there was a mail")                     \
	X(EARLY_CACHED, "dns_early_cached", "those that the cache could answer already")           \
	X(EARLY_FULL, "dns_early_full", "those not asked: too many are out")
COUNTERS_DECLARE(early, EARLY_COUNTERS)

struct early;

/* `cache` and `reader` may be NULL: then nothing is known beforehand. `key` is random: names are
 * chosen by peers. 0 or -ENOMEM. */
int early_new(struct dns_cache *cache, struct epoch_reader *reader, struct siphash_key key,
	struct early **out);
void early_free(struct early *early);

/* A client has greeted; `helo` as given. */
void early_ask(
	struct early *early, const struct ip_addr *client, struct bytes helo, uint64_t now_us);
/* The next question to carry to the resolver; false if none. */
bool early_next_question(struct early *early, uint32_t *index, struct dns_question *question);
/* Its answer. */
void early_answer(
	struct early *early, uint32_t index, const struct dns_answer *answer, uint64_t now_us);

/* When the questions for a client were asked early; 0: they were not, or long ago. */
struct early_times {
	uint64_t reverse_us, helo_us;
};
struct early_times early_times(const struct early *early, const struct ip_addr *client,
	struct bytes helo, uint64_t now_us);

const struct counter_block *early_counters(const struct early *early);
