#include "auth/dns/dns_cache.h"

#include "base/counters.h"
#include "base/epoch.h"

#include <errno.h>
#include <stdlib.h>

#define BYTES_PER_BUCKET   1024u /* an entry with its answer takes about that */
#define BUCKETS_MIN        64u
#define BUCKETS_MAX        (1u << 20)
#define LARGEST_SHARE      8u    /* one answer takes at most this part of the memory */
#define TIDY_ENTRIES       4096u /* looked at in one call */
#define SECOND_CHANCES_MAX 32u   /* given while room is made for one answer */

#define DNS_CACHE_COUNTERS(X)                                                                      \
	X(DNS_CACHE_ENTRIES, "dns_cache_entries", "answers in the cache")                          \
	X(DNS_CACHE_BYTES, "dns_cache_bytes", "memory of the answers in the cache")                \
	X(DNS_CACHE_STORED, "dns_cache_stored", "answers put into the cache")                      \
	X(DNS_CACHE_EXPIRED, "dns_cache_expired", "answers dropped at the end of their TTL")       \
	X(DNS_CACHE_EVICTED, "dns_cache_evicted", "answers dropped for want of room")              \
	X(DNS_CACHE_REFUSED, "dns_cache_refused", "answers not kept: no TTL, too large, no memory")

COUNTERS_DECLARE(dns_cache, DNS_CACHE_COUNTERS)
COUNTERS_DEFINE(dns_cache, DNS_CACHE_COUNTERS)

/* Immutable once published, apart from `next` and `used`. */
struct entry {
	struct entry *_Atomic
		next;      /* in the bucket; of a removed entry it stays, for who stands on it */
	_Atomic bool used; /* by a reader, since the hand went by */
	struct entry *newer, *older; /* the writer's list; NULL at its ends */
	struct epoch_retired retired;
	const struct dns_answer *answer; /* held */
	uint64_t hash;
	uint64_t expires_us;
	uint32_t bytes;
	uint16_t type;
	uint8_t use, name_len;
	char name[];
};

struct dns_cache {
	struct dns_cache_config config;
	struct epoch *epoch;
	uint32_t mask;
	size_t bytes;
	struct entry *oldest, *newest;
	struct entry *tidy_at; /* the next that tidying looks at; NULL: the oldest */
	struct dns_cache_counters counters;
	struct entry *_Atomic buckets[];
};

const struct dns_cache_config dns_cache_config_default = {
	.max_bytes = 64u << 20,
	.ttl_min_s = 1,
	.ttl_max_s = 86400,
	.ttl_negative_max_s = 900, /* RFC 2308 §5 allows hours; a new key should be seen sooner */
	.ttl_failure_s = 5,        /* RFC 2308 §7: at most five minutes */
};

int dns_cache_new(
	const struct dns_cache_config *config, struct epoch *epoch, struct dns_cache **out)
{
	uint32_t buckets = BUCKETS_MIN;
	struct dns_cache *cache;

	if (config->max_bytes == 0)
		return -EINVAL;
	while (buckets < BUCKETS_MAX && buckets < config->max_bytes / BYTES_PER_BUCKET)
		buckets *= 2;
	cache = calloc(1, sizeof(*cache) + buckets * sizeof(cache->buckets[0]));
	if (!cache)
		return -ENOMEM;
	cache->config = *config;
	cache->epoch = epoch;
	cache->mask = buckets - 1;
	dns_cache_counters_init(&cache->counters);
	*out = cache;
	return 0;
}

uint64_t dns_cache_hash(const struct dns_cache *cache, const struct dns_question *q)
{
	uint8_t octets[3 + DNS_NAME_MAX];

	octets[0] = (uint8_t)(q->type >> 8);
	octets[1] = (uint8_t)q->type;
	octets[2] = q->use;
	memcpy(octets + 3, q->name, q->name_len);
	return siphash(&cache->config.key, octets, 3u + q->name_len);
}

static bool is_for(const struct entry *e, uint64_t hash, const struct dns_question *q)
{
	return e->hash == hash && e->type == q->type && e->use == q->use &&
	       e->name_len == q->name_len && memcmp(e->name, q->name, q->name_len) == 0;
}

static struct entry *find(struct dns_cache *cache, uint64_t hash, const struct dns_question *q)
{
	struct entry *e =
		atomic_load_explicit(&cache->buckets[hash & cache->mask], memory_order_acquire);

	while (e && !is_for(e, hash, q))
		e = atomic_load_explicit(&e->next, memory_order_acquire);
	return e;
}

const struct dns_answer *dns_cache_get_own(
	struct dns_cache *cache, const struct dns_question *question, uint64_t now_us)
{
	struct entry *e = find(cache, dns_cache_hash(cache, question), question);

	if (!e || e->expires_us <= now_us)
		return NULL;
	/* Not written again and again: the line stays shared between the readers. */
	if (!atomic_load_explicit(&e->used, memory_order_relaxed))
		atomic_store_explicit(&e->used, true, memory_order_relaxed);
	dns_answer_hold(e->answer);
	return e->answer;
}

const struct dns_answer *dns_cache_get(struct dns_cache *cache, struct epoch_reader *reader,
	const struct dns_question *question, uint64_t now_us)
{
	const struct dns_answer *answer;

	/* Inside, no entry found is freed, and with it stays the hold that makes ours safe to take.
	 */
	epoch_enter(reader);
	answer = dns_cache_get_own(cache, question, now_us);
	epoch_exit(reader);
	return answer;
}

static void free_entry(void *object)
{
	struct entry *e = object;

	dns_answer_release(e->answer);
	free(e);
}

static void unlink_list(struct dns_cache *cache, struct entry *e)
{
	*(e->newer ? &e->newer->older : &cache->newest) = e->older;
	*(e->older ? &e->older->newer : &cache->oldest) = e->newer;
	if (cache->tidy_at == e)
		cache->tidy_at = e->newer;
}

static void link_newest(struct dns_cache *cache, struct entry *e)
{
	e->newer = NULL;
	e->older = cache->newest;
	*(e->older ? &e->older->newer : &cache->oldest) = e;
	cache->newest = e;
}

static void remove_entry(struct dns_cache *cache, struct entry *e)
{
	struct entry *_Atomic *link = &cache->buckets[e->hash & cache->mask];
	struct entry *at;

	while ((at = atomic_load_explicit(link, memory_order_relaxed)) != e)
		link = &at->next;
	atomic_store_explicit(
		link, atomic_load_explicit(&e->next, memory_order_relaxed), memory_order_release);
	unlink_list(cache, e);
	cache->bytes -= e->bytes;
	counter_set(&cache->counters.v[DNS_CACHE_ENTRIES],
		counter_get(&cache->counters.v[DNS_CACHE_ENTRIES]) - 1);
	counter_set(&cache->counters.v[DNS_CACHE_BYTES], cache->bytes);
	epoch_retire(cache->epoch, &e->retired, free_entry, e);
}

/* The clock algorithm: what was used since the hand last went by gets another round. */
static void make_room(struct dns_cache *cache, size_t bytes, uint64_t now_us)
{
	unsigned chances = SECOND_CHANCES_MAX;

	while (cache->bytes + bytes > cache->config.max_bytes) {
		struct entry *oldest = cache->oldest;

		if (chances > 0 && oldest->expires_us > now_us &&
			atomic_exchange_explicit(&oldest->used, false, memory_order_relaxed)) {
			chances--;
			unlink_list(cache, oldest);
			link_newest(cache, oldest);
			continue;
		}
		counter_inc(&cache->counters.v[DNS_CACHE_EVICTED]);
		remove_entry(cache, oldest);
	}
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
	value = value < least ? least : value;
	return value > most ? most : value;
}

static uint32_t ttl_s_of(const struct dns_cache_config *config, const struct dns_answer *answer)
{
	if (dns_answer_is_temporary(answer))
		return config->ttl_failure_s;
	if (answer->outcome == DNS_OK)
		return clamp(answer->ttl_s, config->ttl_min_s, config->ttl_max_s);
	return clamp(answer->ttl_s, config->ttl_min_s, config->ttl_negative_max_s);
}

static struct entry *new_entry(
	const struct dns_question *q, uint64_t hash, const struct dns_answer *answer)
{
	size_t size = sizeof(struct entry) + q->name_len;
	struct entry *e = calloc(1, size);

	if (!e)
		return NULL;
	e->hash = hash;
	e->type = q->type;
	e->use = q->use;
	e->name_len = q->name_len;
	memcpy(e->name, q->name, q->name_len);
	e->bytes = (uint32_t)size + answer->bytes;
	e->answer = answer;
	dns_answer_hold(answer);
	return e;
}

static void insert_entry(struct dns_cache *cache, struct entry *e)
{
	struct entry *_Atomic *bucket = &cache->buckets[e->hash & cache->mask];

	atomic_init(&e->next, atomic_load_explicit(bucket, memory_order_relaxed));
	atomic_store_explicit(bucket, e, memory_order_release);
	link_newest(cache, e);
	cache->bytes += e->bytes;
	counter_inc(&cache->counters.v[DNS_CACHE_STORED]);
	counter_inc(&cache->counters.v[DNS_CACHE_ENTRIES]);
	counter_set(&cache->counters.v[DNS_CACHE_BYTES], cache->bytes);
}

void dns_cache_put(struct dns_cache *cache, const struct dns_question *question,
	const struct dns_answer *answer, uint64_t now_us)
{
	uint64_t hash = dns_cache_hash(cache, question);
	struct entry *before = find(cache, hash, question);
	uint32_t ttl_s = ttl_s_of(&cache->config, answer);
	struct entry *e = NULL;

	if (ttl_s > 0 && answer->bytes <= cache->config.max_bytes / LARGEST_SHARE)
		e = new_entry(question, hash, answer);
	if (before)
		remove_entry(cache, before);
	if (e) {
		e->expires_us = now_us + (uint64_t)ttl_s * 1000000;
		make_room(cache, e->bytes, now_us);
		insert_entry(cache, e);
	} else {
		counter_inc(&cache->counters.v[DNS_CACHE_REFUSED]);
	}
	epoch_reclaim(cache->epoch);
}

void dns_cache_tidy(struct dns_cache *cache, uint64_t now_us)
{
	struct entry *e = cache->tidy_at ? cache->tidy_at : cache->oldest;

	for (unsigned i = 0; i < TIDY_ENTRIES && e; i++) {
		struct entry *next = e->newer;

		if (e->expires_us <= now_us) {
			counter_inc(&cache->counters.v[DNS_CACHE_EXPIRED]);
			remove_entry(cache, e);
		}
		e = next;
	}
	cache->tidy_at = e;
	epoch_reclaim(cache->epoch);
}

void dns_cache_free(struct dns_cache *cache)
{
	if (!cache)
		return;
	while (cache->oldest)
		remove_entry(cache, cache->oldest);
	epoch_reclaim(cache->epoch);
	free(cache);
}

const struct counter_block *dns_cache_counters(const struct dns_cache *cache)
{
	return &cache->counters.block;
}
