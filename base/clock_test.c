#include "base/clock.h"

#include "base/testing.h"

static void clocks_never_go_back(void **state)
{
	struct clock_fast c;
	uint64_t mono = 0, fast = 0, end;

	(void)state;
	clock_fast_init(&c);
	/* Long enough to look at the true clock again a few times. */
	end = clock_mono_us() + 3 * CLOCK_FAST_RESYNC_US;
	while (mono < end) {
		uint64_t m = clock_mono_us(), f = clock_fast_us(&c);

		assert_true(m >= mono);
		assert_true(f >= fast);
		mono = m;
		fast = f;
	}
}

/* Bounded from one side by construction: the true clock is read around the fast one. Only gross
 * errors (units, a rate that is wrong) are caught, as other work on the machine may interrupt. */
static void the_fast_clock_counts_the_same_microseconds(void **state)
{
	struct clock_fast c;
	uint64_t before, fast, after;

	(void)state;
	clock_fast_init(&c);
	before = clock_mono_us();
	fast = clock_fast_us(&c);
	after = clock_mono_us();
	assert_true(fast + 1000000 >= before);
	assert_true(fast <= after + 1000000);
}

static void unix_time_is_after_this_was_written(void **state)
{
	(void)state;
	assert_true(clock_unix_us() > UINT64_C(1700000000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_never_go_back),
		cmocka_unit_test(the_fast_clock_counts_the_same_microseconds),
		cmocka_unit_test(unix_time_is_after_this_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
