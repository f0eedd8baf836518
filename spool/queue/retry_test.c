#include "spool/queue/retry.h"

#include "base/testing.h"

static const struct retry_policy policy = {.min_us = 1000, .max_us = 60000};

static void the_wait_doubles_up_to_the_maximum(void **state)
{
	static const uint64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(retry_wait_us(&policy, i + 1, 0), waits[i]);
	assert_int_equal(retry_wait_us(&policy, 65535, 0), 60000);
}

static void jitter_shortens_by_less_than_a_quarter(void **state)
{
	uint64_t random = test_seed(5), low = UINT64_MAX, high = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t wait = retry_wait_us(&policy, 3, test_random(&random));

		low = wait < low ? wait : low;
		high = wait > high ? wait : high;
	}
	assert_true(low > 3000 && low < 3100);
	assert_true(high <= 4000 && high > 3900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_doubles_up_to_the_maximum),
		cmocka_unit_test(jitter_shortens_by_less_than_a_quarter),
	};

	return cmocka_run_group_tests_name("spool/queue retry", tests, NULL, NULL);
}
