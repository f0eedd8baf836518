#pragma once

#include "auth/dns/dns.h"

struct epoch;
struct epoch_reader;

/*
 * The cache of parsed answers. One thread (the resolver's) writes it; any number read it without a
 * lock under base/epoch. Entries obey TTL, memory is bounded (least recently used go first),
 * negative answers are kept, temporary failures for a few seconds.
 */
struct dns_cache;

struct dns_cache_config {
	size_t max_bytes;
	uint32_t ttl_min_s, ttl_max_s, ttl_negative_max_s, ttl_failure_s;
};

int dns_cache_new(
	const struct dns_cache_config *config, struct epoch *epoch, struct dns_cache **out);
void dns_cache_free(struct dns_cache *cache);

/* A live answer, held for the caller, or NULL. Any thread, with its own reader slot; no syscall, no
 * lock. */
const struct dns_answer *dns_cache_get(struct dns_cache *cache, struct epoch_reader *reader,
	const struct dns_question *question, uint64_t now_us);

/* Writer only: keep `answer` (a hold of its own is taken). */
void dns_cache_put(struct dns_cache *cache, const struct dns_question *question,
	const struct dns_answer *answer, uint64_t now_us);
/* Writer only, now and then: drops what has expired and frees what no reader sees any more. */
void dns_cache_tidy(struct dns_cache *cache, uint64_t now_us);
