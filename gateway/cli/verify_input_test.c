#include "gateway/cli/verify_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct expected {
	const char *raw, *content;
	uint64_t bare_lf_at;
};

static void check(bool convert, const struct expected *expected, size_t step)
{
	struct verify_input input = {.convert = convert};
	struct bytes raw = bytes_str(expected->raw);
	uint8_t out[256];
	size_t n = 0;

	for (size_t at = 0; at < raw.len; at += step)
		n += verify_input_feed(&input, bytes_slice(raw, at, step), out + n);
	assert_true(bytes_eq(bytes_of(out, n), bytes_str(expected->content)));
	assert_int_equal(input.bare_lf_at, expected->bare_lf_at);
}

static void check_all(bool convert, const struct expected *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check(convert, &cases[i], 256);
		check(convert, &cases[i], 1);
	}
}

static void finds_the_first_bare_lf(void **state)
{
	static const struct expected cases[] = {
		{"", "", 0},
		{"a\r\nb\r\n", "a\r\nb\r\n", 0},
		{"a\r\nb\nc\nd", "a\r\nb\nc\nd", 5},
		{"\n", "\n", 1},
		{"\r\n\n", "\r\n\n", 3},
		{"\r\r\n", "\r\r\n", 0},
		{"a\rb", "a\rb", 0},
	};
	(void)state;
	check_all(false, cases, sizeof(cases) / sizeof(cases[0]));
}

static void converts_bare_lf_and_nothing_else(void **state)
{
	static const struct expected cases[] = {
		{"a\nb\n\nc", "a\r\nb\r\n\r\nc", 0},
		{"a\r\nb\n", "a\r\nb\r\n", 0},
		{"\r\r\n\n\r", "\r\r\n\r\n\r", 0},
	};
	(void)state;
	check_all(true, cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_first_bare_lf),
		cmocka_unit_test(converts_bare_lf_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
