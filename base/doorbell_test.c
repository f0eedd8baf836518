#include "base/doorbell.h"

#include <poll.h>
#include <pthread.h>

#include "base/testing.h"

static bool has_rung(const struct doorbell *d)
{
	struct pollfd fd = {.fd = doorbell_fd(d), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void rings_only_for_a_sleeper_and_once(void **state)
{
	struct doorbell d;

	(void)state;
	assert_int_equal(doorbell_init(&d), 0);
	assert_false(doorbell_ring(&d));
	assert_false(has_rung(&d));
	doorbell_prepare(&d);
	assert_true(doorbell_ring(&d));
	assert_false(doorbell_ring(&d));
	assert_true(has_rung(&d));
	doorbell_clear(&d);
	assert_false(has_rung(&d));
	assert_false(doorbell_ring(&d));
	assert_int_equal(atomic_load(&d.rung), 1);
	assert_int_equal(d.sleeps, 1);
	doorbell_fini(&d);
}

static void a_cancelled_sleep_leaves_no_sleeper(void **state)
{
	struct doorbell d;

	(void)state;
	assert_int_equal(doorbell_init(&d), 0);
	doorbell_prepare(&d);
	doorbell_cancel(&d);
	assert_false(doorbell_ring(&d));
	/* Rung between prepare and cancel: the next sleep ends at once, and clears it. */
	doorbell_prepare(&d);
	assert_true(doorbell_ring(&d));
	doorbell_cancel(&d);
	doorbell_prepare(&d);
	assert_true(has_rung(&d));
	doorbell_clear(&d);
	assert_false(has_rung(&d));
	doorbell_fini(&d);
}

static void clearing_without_a_ring_does_not_block(void **state)
{
	struct doorbell d;

	(void)state;
	assert_int_equal(doorbell_init(&d), 0);
	doorbell_prepare(&d);
	doorbell_clear(&d);
	assert_false(doorbell_ring(&d));
	doorbell_fini(&d);
}

enum { HANDOVERS = 20000, PRODUCERS = 2 };

struct work {
	struct doorbell bell;
	_Atomic uint32_t posted;
};

static void *producer_main(void *arg)
{
	struct work *w = arg;

	for (unsigned i = 0; i < HANDOVERS; i++) {
		atomic_fetch_add_explicit(&w->posted, 1, memory_order_release);
		doorbell_ring(&w->bell);
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

/* Were a wake-up lost, the consumer would wait for ever and the test run into its time limit. */
static void no_wakeup_is_lost(void **state)
{
	pthread_t threads[PRODUCERS];
	struct work w = {0};
	uint32_t seen = 0;

	(void)state;
	assert_int_equal(doorbell_init(&w.bell), 0);
	for (unsigned i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, producer_main, &w), 0);
	while (seen < HANDOVERS * PRODUCERS) {
		struct pollfd fd = {.fd = doorbell_fd(&w.bell), .events = POLLIN};
		uint32_t posted = atomic_load_explicit(&w.posted, memory_order_acquire);

		if (posted != seen) {
			seen = posted;
			continue;
		}
		doorbell_prepare(&w.bell);
		if (atomic_load_explicit(&w.posted, memory_order_acquire) != seen) {
			doorbell_cancel(&w.bell);
			continue;
		}
		poll(&fd, 1, -1);
		doorbell_clear(&w.bell);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(atomic_load(&w.bell.rung) <= w.bell.sleeps);
	doorbell_fini(&w.bell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_only_for_a_sleeper_and_once),
		cmocka_unit_test(a_cancelled_sleep_leaves_no_sleeper),
		cmocka_unit_test(clearing_without_a_ring_does_not_block),
		cmocka_unit_test(no_wakeup_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
