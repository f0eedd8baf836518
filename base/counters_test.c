#include "base/counters.h"

#include <errno.h>

#include "base/testing.h"

#define DEMO_COUNTERS(X)                                                                           \
	X(DEMO_SEEN, "demo_seen", "things seen")                                                   \
	X(DEMO_LOST, "demo_lost", "things lost")
#define OTHER_COUNTERS(X) X(OTHER_X, "other_x", "some x")

COUNTERS_DECLARE(demo, DEMO_COUNTERS)
COUNTERS_DECLARE(other, OTHER_COUNTERS)
COUNTERS_DEFINE(demo, DEMO_COUNTERS)
COUNTERS_DEFINE(other, OTHER_COUNTERS)

static void print(void *ctx, const char *set, const char *name, const char *help, uint64_t value)
{
	text_printf(ctx, "%s/%s(%s)=%llu ", set, name, help, (unsigned long long)value);
}

static void sums_the_blocks_of_all_threads_by_name(void **state)
{
	struct demo_counters io0, io1;
	struct other_counters other;
	struct counters_registry r;
	char buf[256];
	struct text out;

	(void)state;
	demo_counters_init(&io0);
	demo_counters_init(&io1);
	other_counters_init(&other);
	counters_registry_init(&r);
	assert_int_equal(counters_register(&r, &io0.block), 0);
	assert_int_equal(counters_register(&r, &other.block), 0);
	assert_int_equal(counters_register(&r, &io1.block), 0);
	counter_inc(&io0.v[DEMO_SEEN]);
	counter_add(&io1.v[DEMO_SEEN], 41);
	counter_set(&io1.v[DEMO_LOST], 7);
	assert_int_equal(counters_sum(&r, "demo_seen"), 42);
	assert_int_equal(counters_sum(&r, "nothing"), 0);
	text_init(&out, buf, sizeof(buf));
	counters_each(&r, print, &out);
	assert_string_equal(text_str(&out),
		"demo/demo_seen(things seen)=42 demo/demo_lost(things lost)=7 "
		"other/other_x(some x)=0 ");
}

static void takes_a_bounded_number_of_blocks(void **state)
{
	struct other_counters other;
	static struct counters_registry r;

	(void)state;
	other_counters_init(&other);
	counters_registry_init(&r);
	for (unsigned i = 0; i < COUNTERS_MAX_BLOCKS; i++)
		assert_int_equal(counters_register(&r, &other.block), 0);
	assert_int_equal(counters_register(&r, &other.block), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_the_blocks_of_all_threads_by_name),
		cmocka_unit_test(takes_a_bounded_number_of_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
