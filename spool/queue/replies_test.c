#include "spool/queue/replies.h"

#include "base/testing.h"

static struct replies r; /* large */

static void a_text_is_kept_once_and_as_long_as_it_is_used(void **state)
{
	uint32_t a, b;

	(void)state;
	replies_init(&r);
	a = replies_add(&r, "450 full");
	b = replies_add(&r, "451 other");
	assert_int_equal(replies_add(&r, "450 full"), a);
	assert_true(a != b && a != 0);
	replies_drop(&r, a);
	assert_string_equal(replies_text(&r, a), "450 full");
	replies_drop(&r, a);
	assert_string_equal(replies_text(&r, b), "451 other");
	replies_drop(&r, b);
	assert_int_equal(replies_add(&r, ""), 0);
	assert_string_equal(replies_text(&r, 0), "");
}

static void when_all_slots_are_taken_the_text_is_left_out_and_counted(void **state)
{
	static uint32_t numbers[REPLIES_MAX];
	char text[32];

	(void)state;
	replies_init(&r);
	for (unsigned i = 1; i < REPLIES_MAX; i++) {
		snprintf(text, sizeof(text), "450 number %u", i);
		numbers[i] = replies_add(&r, text);
		assert_int_not_equal(numbers[i], 0);
	}
	assert_int_equal(replies_add(&r, "one more"), 0);
	assert_int_equal(r.crowded, 1);
	for (unsigned i = 1; i < REPLIES_MAX; i++) {
		snprintf(text, sizeof(text), "450 number %u", i);
		assert_string_equal(replies_text(&r, numbers[i]), text);
		replies_drop(&r, numbers[i]);
	}
	assert_int_not_equal(replies_add(&r, "one more"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_kept_once_and_as_long_as_it_is_used),
		cmocka_unit_test(when_all_slots_are_taken_the_text_is_left_out_and_counted),
	};

	return cmocka_run_group_tests_name("spool/queue replies", tests, NULL, NULL);
}
