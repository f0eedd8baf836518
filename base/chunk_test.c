#include "base/chunk.h"

#include <errno.h>
#include <pthread.h>

#include "base/testing.h"

static void appends_up_to_its_capacity(void **state)
{
	static uint8_t block[CHUNK_LARGE_SIZE];
	struct chunk_pool pool;
	struct chunk *c;

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(chunk_pool_init(&pool, 4 << 20, NULL), 0);
	c = chunk_get(&pool, CHUNK_SMALL);
	assert_non_null(c);
	assert_int_equal(c->cap, CHUNK_SMALL_CAP);
	assert_int_equal(chunk_append(c, BYTES("hello")), 5);
	assert_int_equal(chunk_append(c, (struct bytes){NULL, 0}), 0);
	assert_int_equal(chunk_used(c), 5);
	assert_bytes_equal(chunk_range_bytes((struct chunk_range){c, 1, 4}), "ell");
	assert_int_equal(chunk_append(c, bytes_of(block, sizeof(block))), CHUNK_SMALL_CAP - 5);
	assert_int_equal(chunk_room(c), 0);
	assert_int_equal(chunk_append(c, BYTES("x")), 0);
	chunk_release(c);

	c = chunk_get(&pool, CHUNK_LARGE);
	memcpy(chunk_tail(c), "abc", 3);
	assert_int_equal(chunk_used(c), 0);
	chunk_publish(c, 3);
	assert_bytes_equal(chunk_range_bytes((struct chunk_range){c, 0, chunk_used(c)}), "abc");
	chunk_release(c);
	assert_int_equal(chunk_pool_fini(&pool), 0);
}

static void stays_out_until_the_last_hold_is_gone(void **state)
{
	struct chunk_pool pool;
	struct chunk *c;

	(void)state;
	assert_int_equal(chunk_pool_init(&pool, 1, NULL), 0);
	c = chunk_get(&pool, CHUNK_LARGE);
	chunk_hold(c);
	chunk_release(c);
	chunk_pool_collect(&pool);
	assert_int_equal(chunk_pool_in_use(&pool), CHUNK_LARGE_SIZE);
	chunk_release(c);
	chunk_pool_collect(&pool);
	assert_int_equal(chunk_pool_in_use(&pool), 0);
	c = chunk_get(&pool, CHUNK_SMALL);
	assert_int_equal(chunk_pool_fini(&pool), 1);
}

/* Takes chunks of a size until there are none, strung together. */
static struct chunk *take_all(struct chunk_pool *pool, enum chunk_size size, uint32_t *count)
{
	struct chunk *all = NULL, *c;

	for (*count = 0; (c = chunk_get(pool, size)); (*count)++) {
		c->next = all;
		all = c;
	}
	return all;
}

static void release_all(struct chunk *c)
{
	while (c) {
		struct chunk *next = c->next;

		chunk_release(c);
		c = next;
	}
}

static void is_bounded_and_serves_either_size_again(void **state)
{
	struct chunk_pool pool;
	struct chunk *all;
	uint32_t count;

	(void)state;
	assert_int_equal(chunk_pool_init(&pool, 6 << 20, NULL), 0);
	for (unsigned round = 0; round < 3; round++) {
		all = take_all(&pool, CHUNK_SMALL, &count);
		assert_int_equal(count, 3 * 512);
		assert_int_equal(chunk_pool_level(&pool), CHUNK_POOL_ABORT);
		release_all(all);
		all = take_all(&pool, CHUNK_LARGE, &count);
		assert_int_equal(count, 3 * 32);
		release_all(all);
		assert_int_equal(chunk_pool_level(&pool), CHUNK_POOL_OK);
	}
	assert_int_equal(atomic_load(&pool.exhausted), 6);
	assert_int_equal(chunk_pool_fini(&pool), 0);
}

static void levels_follow_what_is_out(void **state)
{
	static const struct chunk_pool_limits limits = {250, 500, 750};
	struct chunk_pool pool;
	struct chunk *out[64];

	(void)state;
	assert_int_equal(chunk_pool_init(&pool, 4 << 20, &limits), 0);
	for (unsigned i = 0; i < 60; i++) {
		unsigned quarter = (i + 1) / 16;
		enum chunk_pool_level level;

		out[i] = chunk_get(&pool, CHUNK_LARGE);
		level = chunk_pool_level(&pool);
		/* Small chunks have no slab left as soon as the second is taken. */
		if (i >= 32)
			assert_int_equal(level, CHUNK_POOL_ABORT);
		else
			assert_int_equal(level, CHUNK_POOL_OK + quarter);
	}
	for (unsigned i = 0; i < 60; i++)
		chunk_release(out[i]);
	assert_int_equal(chunk_pool_level(&pool), CHUNK_POOL_OK);
	assert_string_equal(chunk_pool_level_name(CHUNK_POOL_SPILL), "spill");
	assert_int_equal(chunk_pool_fini(&pool), 0);
}

static void refuses_limits_that_do_not_ascend(void **state)
{
	static const struct chunk_pool_limits wrong[] = {{800, 700, 900}, {1, 2, 1001}, {1, 3, 2}};
	struct chunk_pool pool;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(chunk_pool_init(&pool, 1 << 20, &wrong[i]), -EINVAL);
	assert_int_equal(chunk_pool_init(&pool, 0, NULL), -EINVAL);
}

static void random_use_never_gives_one_chunk_twice(void **state)
{
	enum { SLOTS = 300, STEPS = 30000 };
	static struct chunk *out[SLOTS];
	struct chunk_pool pool;
	uint64_t seed = test_seed(2);

	(void)state;
	assert_int_equal(chunk_pool_init(&pool, 8 << 20, NULL), 0);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)(test_random(&seed) % SLOTS);

		if (!out[i]) {
			out[i] = chunk_get(
				&pool, test_random(&seed) % 3 ? CHUNK_SMALL : CHUNK_LARGE);
			if (out[i])
				chunk_append(out[i], bytes_of(&i, sizeof(i)));
		} else {
			assert_memory_equal(out[i]->data, &i, sizeof(i));
			chunk_release(out[i]);
			out[i] = NULL;
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (out[i])
			chunk_release(out[i]);
	chunk_pool_collect(&pool);
	assert_int_equal(chunk_pool_in_use(&pool), 0);
	assert_int_equal(chunk_pool_fini(&pool), 0);
}

enum { SHARED_ROUNDS = 4000, READERS = 2 };

/* A ring of one range a reader; a borrower checks the bytes and gives its hold back. */
struct reader {
	struct chunk_range *_Atomic mailbox;
	struct chunk_range range;
	uint64_t wrong;
};

static void *reader_main(void *arg)
{
	struct reader *r = arg;

	for (unsigned round = 0; round < SHARED_ROUNDS; round++) {
		struct chunk_range *got;
		struct bytes b;

		while (!(got = atomic_load_explicit(&r->mailbox, memory_order_acquire)))
			sched_yield();
		b = chunk_range_bytes(*got);
		for (size_t i = 0; i < b.len; i++)
			r->wrong += b.data[i] != (uint8_t)round;
		chunk_release(got->chunk);
		atomic_store_explicit(&r->mailbox, NULL, memory_order_release);
	}
	return NULL;
}

static void borrowers_in_other_threads_send_chunks_home(void **state)
{
	static struct reader readers[READERS];
	pthread_t threads[READERS];
	struct chunk_pool pool;

	(void)state;
	assert_int_equal(chunk_pool_init(&pool, 4 << 20, NULL), 0);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &readers[i]), 0);
	for (unsigned round = 0; round < SHARED_ROUNDS; round++) {
		struct chunk *c = chunk_get(&pool, CHUNK_SMALL);
		uint8_t fill[64];

		assert_non_null(c);
		memset(fill, (int)(uint8_t)round, sizeof(fill));
		chunk_append(c, bytes_of(fill, sizeof(fill)));
		for (unsigned i = 0; i < READERS; i++) {
			while (atomic_load_explicit(&readers[i].mailbox, memory_order_acquire))
				sched_yield();
			chunk_hold(c);
			readers[i].range = (struct chunk_range){c, 0, chunk_used(c)};
			atomic_store_explicit(
				&readers[i].mailbox, &readers[i].range, memory_order_release);
		}
		chunk_release(c);
	}
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(readers[i].wrong, 0);
	}
	assert_int_equal(chunk_pool_fini(&pool), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_up_to_its_capacity),
		cmocka_unit_test(stays_out_until_the_last_hold_is_gone),
		cmocka_unit_test(is_bounded_and_serves_either_size_again),
		cmocka_unit_test(levels_follow_what_is_out),
		cmocka_unit_test(refuses_limits_that_do_not_ascend),
		cmocka_unit_test(random_use_never_gives_one_chunk_twice),
		cmocka_unit_test(borrowers_in_other_threads_send_chunks_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
