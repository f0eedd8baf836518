#include "base/spsc.h"

#include <pthread.h>

#include "base/testing.h"

static void holds_as_many_records_as_it_has_in_order(void **state)
{
	uint64_t memory[4];
	struct spsc r;

	(void)state;
	assert_int_equal(spsc_init(&r, memory, sizeof(uint64_t), 4), 0);
	for (uint64_t round = 0; round < 10; round++) {
		assert_null(spsc_peek(&r));
		for (uint64_t i = 0; i < 4; i++) {
			*(uint64_t *)spsc_reserve(&r) = round * 10 + i;
			spsc_commit(&r);
		}
		assert_null(spsc_reserve(&r));
		assert_int_equal(spsc_count(&r), 4);
		for (uint64_t i = 0; i < 4; i++) {
			assert_int_equal(*(const uint64_t *)spsc_peek(&r), round * 10 + i);
			spsc_pop(&r);
		}
	}
}

static void a_reserved_record_is_not_seen_before_its_commit(void **state)
{
	uint64_t memory[2];
	struct spsc r;

	(void)state;
	assert_int_equal(spsc_init(&r, memory, sizeof(uint64_t), 2), 0);
	assert_non_null(spsc_reserve(&r));
	assert_null(spsc_peek(&r));
	assert_ptr_equal(spsc_reserve(&r), spsc_reserve(&r));
	spsc_commit(&r);
	assert_non_null(spsc_peek(&r));
}

static void refuses_sizes_it_cannot_wrap(void **state)
{
	uint64_t memory[4];
	struct spsc r;

	(void)state;
	assert_int_equal(spsc_init(&r, memory, 8, 3), -EINVAL);
	assert_int_equal(spsc_init(&r, memory, 8, 0), -EINVAL);
	assert_int_equal(spsc_init(&r, memory, 0, 4), -EINVAL);
	assert_int_equal(spsc_init(&r, NULL, 8, 4), -EINVAL);
}

enum { RECORDS = 50000 };

static void *producer_main(void *arg)
{
	struct spsc *r = arg;

	for (uint64_t i = 0; i < RECORDS; i++) {
		uint64_t *record;

		while (!(record = spsc_reserve(r)))
			sched_yield();
		*record = i;
		spsc_commit(r);
	}
	return NULL;
}

static void two_threads_hand_over_every_record_once(void **state)
{
	uint64_t memory[8];
	pthread_t thread;
	struct spsc r;

	(void)state;
	assert_int_equal(spsc_init(&r, memory, sizeof(uint64_t), 8), 0);
	assert_int_equal(pthread_create(&thread, NULL, producer_main, &r), 0);
	for (uint64_t i = 0; i < RECORDS; i++) {
		const uint64_t *record;

		while (!(record = spsc_peek(&r)))
			sched_yield();
		assert_int_equal(*record, i);
		spsc_pop(&r);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_null(spsc_peek(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_as_many_records_as_it_has_in_order),
		cmocka_unit_test(a_reserved_record_is_not_seen_before_its_commit),
		cmocka_unit_test(refuses_sizes_it_cannot_wrap),
		cmocka_unit_test(two_threads_hand_over_every_record_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
