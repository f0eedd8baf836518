#include "dataplane/tcp/tcp_timewait_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct tcp_tuple name(unsigned n)
{
	return (struct tcp_tuple){.local_port = 25, .peer_port = (uint16_t)n};
}

/* A poor hash, so that chains form. */
static uint32_t hash(unsigned n)
{
	return n % 7;
}

static bool present(const struct tcp_timewait *tw, unsigned n)
{
	struct tcp_tuple t = name(n);

	return tcp_timewait_find(tw, &t, hash(n)) != NULL;
}

static struct tcp_timewait_entry *add(
	struct tcp_timewait *tw, unsigned n, uint64_t now, bool *evicted)
{
	struct tcp_tuple t = name(n);

	return tcp_timewait_add(tw, &t, hash(n), now, evicted);
}

static void entries_are_found_until_they_expire(void **state)
{
	struct tcp_timewait tw;
	bool evicted;

	(void)state;
	assert_int_equal(tcp_timewait_init(&tw, 100), 0);
	assert_int_equal(tcp_timewait_sweep(&tw, 0), UINT64_MAX);
	for (unsigned n = 0; n < 50; n++)
		add(&tw, n, n * 1000, &evicted);
	assert_false(present(&tw, 50));
	for (unsigned n = 0; n < 50; n++) {
		assert_true(present(&tw, n));
		assert_int_equal(tcp_timewait_sweep(&tw, TCP_TIMEWAIT_US + n * 1000 - 1),
			TCP_TIMEWAIT_US + n * 1000);
		tcp_timewait_sweep(&tw, TCP_TIMEWAIT_US + n * 1000);
		assert_false(present(&tw, n));
	}
	assert_int_equal(tw.slab.in_use, 0);
	tcp_timewait_fini(&tw);
}

static void the_oldest_gives_way_and_a_restart_makes_young(void **state)
{
	struct tcp_timewait_entry *first;
	struct tcp_timewait tw;
	bool evicted;

	(void)state;
	assert_int_equal(tcp_timewait_init(&tw, 3), 0);
	first = add(&tw, 0, 0, &evicted);
	add(&tw, 1, 1, &evicted);
	add(&tw, 2, 2, &evicted);
	assert_false(evicted);
	tcp_timewait_restart(&tw, first, 3);
	add(&tw, 3, 4, &evicted);
	assert_true(evicted);
	assert_true(present(&tw, 0));
	assert_false(present(&tw, 1));
	assert_true(present(&tw, 2));
	assert_true(present(&tw, 3));
	tcp_timewait_remove(&tw, first);
	assert_false(present(&tw, 0));
	assert_int_equal(tcp_timewait_sweep(&tw, 3), 2 + TCP_TIMEWAIT_US);
	tcp_timewait_fini(&tw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_until_they_expire),
		cmocka_unit_test(the_oldest_gives_way_and_a_restart_makes_young),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
