#include "base/queue_id.h"

#include <errno.h>

#include "base/testing.h"

#define NOW UINT64_C(1790000000000000)

static void ids_increase_even_if_the_clock_steps_back(void **state)
{
	struct queue_id_gen gen;
	uint64_t a, b, c;

	(void)state;
	queue_id_init(&gen, 3);
	a = queue_id_next(&gen, NOW);
	b = queue_id_next(&gen, NOW);
	c = queue_id_next(&gen, NOW - 3600000000);
	assert_true(a < b && b < c);
	assert_true(queue_id_unix_us(a) == NOW);
	assert_true(queue_id_next(&gen, NOW + 50) == ((NOW + 50) << QUEUE_ID_LCORE_BITS | 3));
}

static void lcores_never_give_the_same_id(void **state)
{
	struct queue_id_gen a, b;

	(void)state;
	queue_id_init(&a, 0);
	queue_id_init(&b, QUEUE_ID_LCORE_MAX);
	assert_true(queue_id_next(&a, NOW) != queue_id_next(&b, NOW));
	assert_true(queue_id_next(&a, 0) != 0);
}

static void a_primed_generator_goes_on_above_what_was_seen(void **state)
{
	struct queue_id_gen gen, other;
	uint64_t seen;

	(void)state;
	queue_id_init(&other, 9);
	seen = queue_id_next(&other, NOW);
	queue_id_init(&gen, 0);
	queue_id_prime(&gen, seen);
	queue_id_prime(&gen, 5);
	assert_true(queue_id_next(&gen, NOW - 1) > seen);
}

static void text_sorts_like_the_ids(void **state)
{
	uint64_t seed = test_seed(6);

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t a = test_random(&seed), b = a + (test_random(&seed) >> (i % 64)), back;
		char ta[QUEUE_ID_TEXT_SIZE], tb[QUEUE_ID_TEXT_SIZE];

		queue_id_format(a, ta);
		queue_id_format(b, tb);
		assert_int_equal(strlen(ta), QUEUE_ID_TEXT_LEN);
		assert_int_equal(strcmp(ta, tb) < 0, a < b);
		assert_int_equal(queue_id_parse(bytes_str(ta), &back), 0);
		assert_true(back == a);
	}
}

static void reads_ids_as_people_type_them(void **state)
{
	static const char *const wrong[] = {"", "0", "000000000000", "00000000000000",
		"000000000000U", "000000000000-", "G000000000000", "00000000000 0"};
	uint64_t a, b;
	char text[QUEUE_ID_TEXT_SIZE];

	(void)state;
	assert_string_equal(queue_id_format(UINT64_MAX, text), "FZZZZZZZZZZZZ");
	assert_int_equal(queue_id_parse(BYTES("01A0BCDEFGHJK"), &a), 0);
	assert_int_equal(queue_id_parse(BYTES("oiaobcdefghjk"), &b), 0);
	assert_true(a == b);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(queue_id_parse(bytes_str(wrong[i]), &a), -EINVAL);
	assert_int_equal(queue_id_parse(BYTES("000000000000\0"), &a), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_increase_even_if_the_clock_steps_back),
		cmocka_unit_test(lcores_never_give_the_same_id),
		cmocka_unit_test(a_primed_generator_goes_on_above_what_was_seen),
		cmocka_unit_test(text_sorts_like_the_ids),
		cmocka_unit_test(reads_ids_as_people_type_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
