#include "auth/dns/dns_cache.h"

#include "base/counters.h"
#include "base/epoch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)

static struct epoch epoch;

static struct dns_cache *new_cache(size_t max_bytes)
{
	struct dns_cache_config config = dns_cache_config_default;
	struct dns_cache *cache;

	config.max_bytes = max_bytes;
	config.key = (struct siphash_key){1, 2};
	config.ttl_max_s = 1000;
	config.ttl_negative_max_s = 100;
	config.ttl_failure_s = 5;
	assert_int_equal(epoch_init(&epoch, 4), 0);
	assert_int_equal(dns_cache_new(&config, &epoch, &cache), 0);
	return cache;
}

static void free_cache(struct dns_cache *cache)
{
	dns_cache_free(cache);
	epoch_fini(&epoch);
}

static struct dns_question question(unsigned number)
{
	struct dns_question q;
	char name[32];
	int len = snprintf(name, sizeof(name), "n%u.example.org", number);

	assert_true(dns_question_set(&q, DNS_TXT, DNS_USE_RAW, bytes_of(name, (size_t)len)));
	return q;
}

static const struct dns_answer *answer_of(
	enum dns_outcome outcome, uint32_t ttl_s, const char *text)
{
	struct dns_record record = {.text = bytes_str(text)};
	struct dns_answer like = {.outcome = outcome, .ttl_s = ttl_s, .records = &record};

	like.n = outcome == DNS_OK;
	return dns_answer_new(&like, NULL);
}

static void put(struct dns_cache *cache, unsigned number, enum dns_outcome outcome, uint32_t ttl_s,
	uint64_t now_us)
{
	struct dns_question q = question(number);
	const struct dns_answer *answer = answer_of(outcome, ttl_s, q.name);

	dns_cache_put(cache, &q, answer, now_us);
	dns_answer_release(answer);
}

static bool has(struct dns_cache *cache, unsigned number, uint64_t now_us)
{
	struct dns_question q = question(number);
	const struct dns_answer *answer =
		dns_cache_get(cache, epoch_reader_at(&epoch, 0), &q, now_us);

	if (!answer)
		return false;
	if (answer->outcome == DNS_OK)
		assert_true(bytes_eq(answer->records[0].text, bytes_str(q.name)));
	dns_answer_release(answer);
	return true;
}

static void gives_back_what_was_put_until_its_ttl_ends(void **state)
{
	struct dns_cache *cache = new_cache(1 << 20);

	(void)state;
	put(cache, 1, DNS_OK, 60, 10 * SECOND);
	assert_true(has(cache, 1, 10 * SECOND));
	assert_true(has(cache, 1, 70 * SECOND - 1));
	assert_false(has(cache, 1, 70 * SECOND));
	assert_false(has(cache, 2, 10 * SECOND));
	free_cache(cache);
}

static void every_outcome_has_its_bound_of_time(void **state)
{
	static const struct {
		enum dns_outcome outcome;
		uint32_t ttl_s, kept_s;
	} samples[] = {
		{DNS_OK, 0, 1},
		{DNS_OK, 5000, 1000},
		{DNS_NODATA, 50, 50},
		{DNS_NXDOMAIN, 5000, 100},
		{DNS_NXDOMAIN, 0, 1},
		{DNS_SERVFAIL, 5000, 5},
		{DNS_TIMEOUT, 0, 5},
		{DNS_BOGUS, 1, 5},
	};
	struct dns_cache *cache = new_cache(1 << 20);

	(void)state;
	for (unsigned i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		put(cache, i, samples[i].outcome, samples[i].ttl_s, 0);
		assert_true(has(cache, i, samples[i].kept_s * SECOND - 1));
		assert_false(has(cache, i, samples[i].kept_s * SECOND));
	}
	free_cache(cache);
}

static void type_and_use_are_part_of_the_question(void **state)
{
	struct dns_cache *cache = new_cache(1 << 20);
	struct dns_question q = question(1);

	(void)state;
	put(cache, 1, DNS_OK, 60, 0);
	q.use = DNS_USE_SPF;
	assert_null(dns_cache_get_own(cache, &q, 0));
	q.use = DNS_USE_RAW;
	q.type = DNS_A;
	assert_null(dns_cache_get_own(cache, &q, 0));
	free_cache(cache);
}

static void a_new_answer_takes_the_place_of_the_old(void **state)
{
	struct dns_cache *cache = new_cache(1 << 20);
	struct dns_question q = question(1);
	const struct dns_answer *held;

	(void)state;
	put(cache, 1, DNS_OK, 60, 0);
	held = dns_cache_get_own(cache, &q, 0);
	put(cache, 1, DNS_NXDOMAIN, 60, 0);
	/* Who held the old one still has it. */
	assert_true(bytes_eq(held->records[0].text, bytes_str(q.name)));
	dns_answer_release(held);
	held = dns_cache_get_own(cache, &q, 0);
	assert_int_equal(held->outcome, DNS_NXDOMAIN);
	dns_answer_release(held);
	free_cache(cache);
}

static uint64_t count(const struct dns_cache *cache, const char *name)
{
	const struct counter_block *block = dns_cache_counters(cache);

	for (size_t i = 0; i < block->set->count; i++) {
		if (strcmp(block->set->entries[i].name, name) == 0)
			return counter_get(&block->values[i]);
	}
	fail_msg("no counter %s", name);
	return 0;
}

static void memory_stays_within_its_bound(void **state)
{
	struct dns_cache *cache = new_cache(64 * 1024);

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		put(cache, i, DNS_OK, 600, i);
		assert_true(count(cache, "dns_cache_bytes") <= 64 * 1024);
		assert_true(has(cache, i, i));
	}
	assert_true(count(cache, "dns_cache_evicted") > 1000);
	assert_int_equal(
		count(cache, "dns_cache_entries") + count(cache, "dns_cache_evicted"), 2000);
	free_cache(cache);
}

static void what_is_used_outlives_what_is_not(void **state)
{
	struct dns_cache *cache = new_cache(64 * 1024);

	(void)state;
	put(cache, 0, DNS_OK, 600, 0);
	for (unsigned i = 1; i < 2000; i++) {
		put(cache, i, DNS_OK, 600, 0);
		assert_true(has(cache, 0, 0));
	}
	free_cache(cache);
}

static void an_answer_too_large_is_not_kept_nor_the_old_one(void **state)
{
	struct dns_cache *cache = new_cache(8 * 1024);
	struct dns_question q = question(1);
	static char large[4096];
	const struct dns_answer *answer;

	(void)state;
	put(cache, 1, DNS_OK, 60, 0);
	memset(large, 'x', sizeof(large) - 1);
	answer = answer_of(DNS_OK, 60, large);
	dns_cache_put(cache, &q, answer, 0);
	dns_answer_release(answer);
	assert_false(has(cache, 1, 0));
	assert_int_equal(count(cache, "dns_cache_refused"), 1);
	free_cache(cache);
}

static void tidying_drops_the_expired_whatever_their_age(void **state)
{
	struct dns_cache *cache = new_cache(16 << 20);

	(void)state;
	for (unsigned i = 0; i < 6000; i++)
		put(cache, i, DNS_OK, i % 2 ? 10 : 500, 0);
	dns_cache_tidy(cache, 20 * SECOND);
	assert_true(count(cache, "dns_cache_expired") < 3000);
	dns_cache_tidy(cache, 20 * SECOND);
	assert_int_equal(count(cache, "dns_cache_expired"), 3000);
	assert_int_equal(count(cache, "dns_cache_entries"), 3000);
	free_cache(cache);
}

/* Readers against a writer that replaces, evicts and tidies all the time; every answer must be
 * whole. */

#define READERS      2
#define STRESS_NAMES 200
#define STRESS_PUTS  20000

struct stress {
	struct dns_cache *cache;
	_Atomic bool done;
	_Atomic uint64_t hits;
};

struct stress_reader {
	struct stress *stress;
	uint32_t number;
};

static void *read_all_the_time(void *arg)
{
	struct stress_reader *r = arg;
	struct epoch_reader *slot = epoch_reader_at(&epoch, r->number);
	struct dns_question questions[STRESS_NAMES];

	for (unsigned i = 0; i < STRESS_NAMES; i++)
		questions[i] = question(i);
	for (unsigned i = 0; !atomic_load(&r->stress->done); i++) {
		const struct dns_question *q = &questions[(i * 7 + r->number) % STRESS_NAMES];
		const struct dns_answer *answer = dns_cache_get(r->stress->cache, slot, q, 0);

		if (!answer)
			continue;
		if (!bytes_eq(answer->records[0].text, bytes_str(q->name)))
			abort();
		dns_answer_release(answer);
		atomic_fetch_add(&r->stress->hits, 1);
	}
	return NULL;
}

static void readers_see_only_whole_answers(void **state)
{
	struct stress stress = {.cache = new_cache(32 * 1024)};
	struct stress_reader readers[READERS];
	pthread_t threads[READERS];

	(void)state;
	for (uint32_t i = 0; i < READERS; i++) {
		readers[i] = (struct stress_reader){&stress, i + 1};
		assert_int_equal(
			pthread_create(&threads[i], NULL, read_all_the_time, &readers[i]), 0);
	}
	for (unsigned i = 0; i < STRESS_PUTS || atomic_load(&stress.hits) == 0; i++) {
		put(stress.cache, i * 13 % STRESS_NAMES, DNS_OK, 60, 0);
		if (i % 1000 == 0)
			dns_cache_tidy(stress.cache, 0);
	}
	atomic_store(&stress.done, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	free_cache(stress.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_was_put_until_its_ttl_ends),
		cmocka_unit_test(every_outcome_has_its_bound_of_time),
		cmocka_unit_test(type_and_use_are_part_of_the_question),
		cmocka_unit_test(a_new_answer_takes_the_place_of_the_old),
		cmocka_unit_test(memory_stays_within_its_bound),
		cmocka_unit_test(what_is_used_outlives_what_is_not),
		cmocka_unit_test(an_answer_too_large_is_not_kept_nor_the_old_one),
		cmocka_unit_test(tidying_drops_the_expired_whatever_their_age),
		cmocka_unit_test(readers_see_only_whole_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
