#pragma once

#include "auth/dns/dns.h"
#include "base/siphash.h"

struct epoch;
struct epoch_reader;
struct counter_block;

/*
 * The cache of parsed answers. One thread (the resolver's) writes it; any number read it without a
 * lock under base/epoch. Entries obey TTL, memory is bounded (those not used since the last round
 * go first), negative answers are kept, temporary failures for a few seconds.
 */
struct dns_cache;

struct dns_cache_config {
	size_t max_bytes;
	uint32_t ttl_min_s, ttl_max_s, ttl_negative_max_s, ttl_failure_s;
	struct siphash_key key; /* random: names are chosen by peers */
};
/* Without a key and a bound of memory, which the owner gives. */
extern const struct dns_cache_config dns_cache_config_default;

/* `epoch` is borrowed; its writer must be the cache's. 0, -EINVAL or -ENOMEM. */
int dns_cache_new(
	const struct dns_cache_config *config, struct epoch *epoch, struct dns_cache **out);
/* No reader may be inside any more. */
void dns_cache_free(struct dns_cache *cache);

/* A live answer, held for the caller, or NULL. Any thread, with its own reader slot; no syscall, no
 * lock. */
const struct dns_answer *dns_cache_get(struct dns_cache *cache, struct epoch_reader *reader,
	const struct dns_question *question, uint64_t now_us);
/* The same for the writer, who needs no slot. */
const struct dns_answer *dns_cache_get_own(
	struct dns_cache *cache, const struct dns_question *question, uint64_t now_us);

/*
 * Writer only: keep `answer` (a hold of its own is taken). One that may not be kept (no TTL, over
 * an eighth of max_bytes) takes away what was there.
 */
void dns_cache_put(struct dns_cache *cache, const struct dns_question *question,
	const struct dns_answer *answer, uint64_t now_us);
/* Writer only, now and then: drops what has expired and frees what no reader sees any more. */
void dns_cache_tidy(struct dns_cache *cache, uint64_t now_us);

/* The keyed hash that the cache finds a question by, for other tables of questions. */
uint64_t dns_cache_hash(const struct dns_cache *cache, const struct dns_question *question);

/* The writer's; to be read by any thread. */
const struct counter_block *dns_cache_counters(const struct dns_cache *cache);
