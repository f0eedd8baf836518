#include "base/testing.h"
#include "bench/load/histogram.h"

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void an_empty_one_is_all_zero(void **state)
{
	static struct histogram h;

	(void)state;
	assert_int_equal(histogram_percentile(&h, 50), 0);
	assert_true(histogram_mean(&h) == 0);
}

static void small_values_are_exact(void **state)
{
	static struct histogram h;

	(void)state;
	for (uint64_t v = 1; v <= 20; v++)
		histogram_add(&h, v);
	assert_int_equal(histogram_percentile(&h, 0), 1);
	assert_int_equal(histogram_percentile(&h, 50), 10);
	assert_int_equal(histogram_percentile(&h, 95), 19);
	assert_int_equal(histogram_percentile(&h, 100), 20);
	assert_true(histogram_mean(&h) == 10.5);
}

static void takes_the_greatest_and_the_least_value(void **state)
{
	static struct histogram h;

	(void)state;
	histogram_add(&h, UINT64_MAX);
	histogram_add(&h, 0);
	assert_int_equal(histogram_percentile(&h, 1), 0);
	assert_true(histogram_percentile(&h, 100) == UINT64_MAX);
	assert_int_equal(h.min, 0);
}

/* Against the sorted values, over twenty octaves. */
static void percentiles_are_within_a_thirty_second(void **state)
{
	static const double percents[] = {1, 10, 50, 90, 99, 99.9, 100};
	static struct histogram h;
	static uint64_t values[5000];
	const unsigned n = sizeof(values) / sizeof(values[0]);
	uint64_t seed = test_seed(7);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		values[i] = test_random(&seed) >> (44 + test_random(&seed) % 20);
		histogram_add(&h, values[i]);
	}
	qsort(values, n, sizeof(values[0]), by_value);
	for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		unsigned rank = (unsigned)(percents[i] / 100 * n + 0.999999);
		uint64_t exact = values[rank - 1], got = histogram_percentile(&h, percents[i]);

		assert_true(got >= exact);
		assert_true(got - exact <= exact / HISTOGRAM_SUBS);
	}
}

static void octaves_add_up_to_all(void **state)
{
	static struct histogram h;
	uint64_t seed = test_seed(8), sum;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		histogram_add(&h, test_random(&seed) >> 45);
	sum = histogram_between(&h, 0, 1);
	for (uint64_t from = 1; from < UINT64_C(1) << 20; from *= 2)
		sum += histogram_between(&h, from, from * 2);
	assert_int_equal(sum, 1000);
	histogram_add(&h, 4);
	assert_int_equal(histogram_between(&h, 4, 8) + histogram_between(&h, 0, 4) +
				 histogram_between(&h, 8, UINT64_C(1) << 20),
		1001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_is_all_zero),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(takes_the_greatest_and_the_least_value),
		cmocka_unit_test(percentiles_are_within_a_thirty_second),
		cmocka_unit_test(octaves_add_up_to_all),
	};

	return cmocka_run_group_tests_name("load/histogram", tests, NULL, NULL);
}
