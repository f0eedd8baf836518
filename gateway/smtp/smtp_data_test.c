#include "gateway/smtp/smtp_data.h"

#include "base/testing.h"

/*
 * However content is cut into portions, the same comes out. Single octets never meet the code that
 * takes whole lines at once, so they are what it is measured by.
 */

#define OCTETS_MAX 1024

struct seen {
	struct smtp_data data;
	struct text out;
	char octets[OCTETS_MAX];
	unsigned runs;
};

static struct bytes feed(struct seen *seen, struct bytes input, size_t portion)
{
	struct bytes run;

	smtp_data_init(&seen->data);
	text_init(&seen->out, seen->octets, sizeof(seen->octets));
	seen->runs = 0;
	while (input.len > 0 && !smtp_data_ended(&seen->data)) {
		struct bytes part = bytes_slice(input, 0, portion);

		input = bytes_from(input, part.len);
		for (; smtp_data_feed(&seen->data, &part, &run); seen->runs++)
			text_put(&seen->out, run);
		input = bytes_of(part.data, part.len + input.len);
	}
	return input;
}

static void assert_same(const struct seen *a, const struct seen *b)
{
	assert_int_equal(a->out.len, b->out.len);
	assert_memory_equal(a->octets, b->octets, a->out.len);
	assert_int_equal(a->data.octets, b->data.octets);
	assert_int_equal(a->data.flaws, b->data.flaws);
	assert_int_equal(a->data.first_flaw, b->data.first_flaw);
	assert_int_equal(a->data.first_flaw_at, b->data.first_flaw_at);
	assert_int_equal(a->data.in_header, b->data.in_header);
	assert_int_equal(smtp_data_ended(&a->data), smtp_data_ended(&b->data));
	assert_int_equal(smtp_data_odd_end(&a->data), smtp_data_odd_end(&b->data));
}

/* Mostly lines, as mail is, with what is special in between: one octet in `rarity`. */
static size_t make(uint8_t *octets, unsigned rarity, uint64_t *random)
{
	static const char special[] = "\r\n.\0\xe4\r\n";
	size_t len = test_random(random) % OCTETS_MAX;

	for (size_t i = 0; i < len; i++) {
		octets[i] = 'a';
		if (test_random(random) % rarity == 0)
			octets[i] = (uint8_t)special[test_random(random) % 7];
		else if (i + 1 < len && test_random(random) % 30 == 0)
			memcpy(octets + i++, "\r\n", 2);
	}
	return len;
}

static void portions_make_no_difference(void **state)
{
	static const unsigned rarity[] = {2, 10, 300, 3000};
	uint64_t random = test_seed(25);
	uint8_t octets[OCTETS_MAX];

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		struct bytes input = bytes_of(octets, make(octets, rarity[i % 4], &random));
		size_t portion = 1 + test_random(&random) % OCTETS_MAX;
		struct seen one, some;
		struct bytes rest = feed(&one, input, 1);

		assert_int_equal(feed(&some, input, portion).len, rest.len);
		assert_same(&one, &some);
	}
}

static void lines_come_out_as_one_run(void **state)
{
	uint8_t octets[800];
	struct seen seen;

	(void)state;
	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t) "Text of some length.\r\n\r\n"[i % 24];
	feed(&seen, bytes_of(octets, sizeof(octets)), SIZE_MAX);
	assert_int_equal(seen.runs, 1);
	assert_int_equal(seen.out.len, sizeof(octets));
	assert_false(seen.data.in_header);
}

static void a_run_ends_where_a_dot_is_taken_out(void **state)
{
	struct seen seen;

	(void)state;
	feed(&seen, BYTES("a\r\n..b\r\nc\r\n.\r\nQUIT\r\n"), SIZE_MAX);
	assert_int_equal(seen.runs, 2);
	assert_bytes_equal(text_bytes(&seen.out), "a\r\n.b\r\nc\r\n");
	assert_true(smtp_data_ended(&seen.data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(portions_make_no_difference),
		cmocka_unit_test(lines_come_out_as_one_run),
		cmocka_unit_test(a_run_ends_where_a_dot_is_taken_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
