#include <errno.h>

#include "base/testing.h"

static void compares_with_and_without_case(void **state)
{
	(void)state;
	assert_true(bytes_eq(BYTES("a\0b"), BYTES("a\0b")));
	assert_false(bytes_eq(BYTES("a\0b"), BYTES("a\0c")));
	assert_true(bytes_eq((struct bytes){NULL, 0}, BYTES("")));
	assert_true(bytes_eq_nocase(BYTES("Mail FROM"), BYTES("mAIL from")));
	/* Only letters have a case: '@' and '`' differ in the same bit. */
	assert_false(bytes_eq_nocase(BYTES("@"), BYTES("`")));
	assert_false(bytes_eq_nocase(BYTES("\xc4"), BYTES("\xe4")));
	assert_true(bytes_cmp(BYTES("ab"), BYTES("abc")) < 0);
	assert_true(bytes_cmp(BYTES("b"), BYTES("abc")) > 0);
	assert_int_equal(bytes_cmp(BYTES(""), (struct bytes){NULL, 0}), 0);
}

static void finds_prefixes_suffixes_and_octets(void **state)
{
	(void)state;
	assert_true(bytes_starts_nocase(BYTES("FROM:<a>"), BYTES("from:")));
	assert_false(bytes_starts_nocase(BYTES("FRO"), BYTES("from:")));
	assert_true(bytes_starts(BYTES("abc"), BYTES("")));
	assert_true(bytes_ends_nocase(BYTES("mx.Example.ORG"), BYTES(".example.org")));
	assert_int_equal(bytes_find(BYTES("a@b@c"), '@'), 1);
	assert_int_equal(bytes_rfind(BYTES("a@b@c"), '@'), 3);
	assert_true(bytes_find(BYTES("abc"), '@') == BYTES_NPOS);
	assert_int_equal(bytes_find(BYTES("a\xffz"), '\xff'), 1);
	assert_int_equal(bytes_find_bytes(BYTES("x\r\n.\r\n"), BYTES("\r\n.\r\n")), 1);
	assert_true(bytes_find_bytes(BYTES("\r\n."), BYTES("\r\n.\r\n")) == BYTES_NPOS);
}

static void slices_never_leave_the_bytes(void **state)
{
	struct bytes b = BYTES("hello");

	(void)state;
	assert_bytes_equal(bytes_slice(b, 1, 3), "ell");
	assert_bytes_equal(bytes_slice(b, 3, 99), "lo");
	assert_bytes_equal(bytes_slice(b, 99, 1), "");
	assert_bytes_equal(bytes_from(b, SIZE_MAX), "");
	assert_null(bytes_slice((struct bytes){NULL, 0}, 3, 3).data);
	assert_bytes_equal(bytes_trim(BYTES(" \t a b\t")), "a b");
	assert_bytes_equal(bytes_trim(BYTES(" \t ")), "");
	assert_bytes_equal(bytes_trim_fws(BYTES("\r\n a\r\n")), "a");
}

static void splits_into_all_pieces_also_empty_ones(void **state)
{
	struct bytes rest = BYTES("a,,b,"), piece;

	(void)state;
	assert_true(bytes_split(&rest, ',', &piece));
	assert_bytes_equal(piece, "a");
	assert_true(bytes_split(&rest, ',', &piece));
	assert_bytes_equal(piece, "");
	assert_true(bytes_split(&rest, ',', &piece));
	assert_bytes_equal(piece, "b");
	assert_true(bytes_split(&rest, ',', &piece));
	assert_bytes_equal(piece, "");
	assert_false(bytes_split(&rest, ',', &piece));

	rest = BYTES("");
	assert_true(bytes_split(&rest, ',', &piece));
	assert_false(bytes_split(&rest, ',', &piece));
}

static void reads_numbers_up_to_their_maximum(void **state)
{
	static const struct {
		struct bytes text;
		uint64_t max;
		int result;
		uint64_t value;
	} cases[] = {
		{BYTES("0"), 0, 0, 0},
		{BYTES("255"), 255, 0, 255},
		{BYTES("256"), 255, -ERANGE, 0},
		{BYTES("007"), 9, 0, 7},
		{BYTES("1"), 0, -ERANGE, 0},
		{BYTES("9"), 5, -ERANGE, 0},
		{BYTES("18446744073709551615"), UINT64_MAX, 0, UINT64_MAX},
		{BYTES("18446744073709551616"), UINT64_MAX, -ERANGE, 0},
		{BYTES("99999999999999999999999"), UINT64_MAX, -ERANGE, 0},
		{BYTES(""), 9, -EINVAL, 0},
		{BYTES("-1"), 9, -EINVAL, 0},
		{BYTES("+1"), 9, -EINVAL, 0},
		{BYTES(" 1"), 9, -EINVAL, 0},
		{BYTES("1x"), 9, -EINVAL, 0},
		{BYTES("999x"), 9, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0;

		assert_int_equal(
			bytes_to_u64(cases[i].text, cases[i].max, &value), cases[i].result);
		assert_int_equal(value, cases[i].value);
	}
}

static bool is_alpha(int c)
{
	return ascii_is_alpha(c);
}

static void cursor_moves_only_on_success(void **state)
{
	struct cursor c = cursor_of(BYTES("MAIL \t42:rest"));
	struct bytes taken;
	uint64_t value;

	(void)state;
	assert_false(cursor_accept(&c, 'X'));
	assert_false(cursor_accept_nocase(&c, BYTES("mails")));
	assert_true(cursor_accept_nocase(&c, BYTES("mail")));
	assert_int_equal(cursor_skip_wsp(&c), 2);
	assert_int_equal(cursor_take_u64(&c, 41, &value), -ERANGE);
	assert_int_equal(cursor_take_u64(&c, 42, &value), 0);
	assert_int_equal(cursor_take_u64(&c, 42, &value), -EINVAL);
	assert_true(cursor_accept(&c, ':'));
	assert_false(cursor_take(&c, 5, &taken));
	assert_true(cursor_take(&c, 2, &taken));
	assert_bytes_equal(taken, "re");
	assert_bytes_equal(cursor_take_while(&c, is_alpha), "st");
	assert_true(cursor_done(&c));
	assert_int_equal(cursor_peek(&c), -1);
	assert_int_equal(cursor_next(&c), -1);
}

static void cursor_takes_runs_up_to_a_mark(void **state)
{
	struct cursor c = cursor_of(BYTES("12ab@x"));

	(void)state;
	assert_bytes_equal(cursor_take_until(&c, is_alpha), "12");
	assert_bytes_equal(cursor_take_to(&c, '@'), "ab");
	assert_int_equal(cursor_next(&c), '@');
	assert_bytes_equal(cursor_take_to(&c, '@'), "x");
	c = cursor_of((struct bytes){NULL, 0});
	assert_true(cursor_done(&c));
	assert_bytes_equal(cursor_take_to(&c, '@'), "");
}

static void text_keeps_whole_pieces_only(void **state)
{
	char buf[8];
	struct text t;

	(void)state;
	text_init(&t, buf, sizeof(buf));
	text_put(&t, BYTES("abc"));
	text_putc(&t, 'd');
	text_put(&t, BYTES("efgh"));
	assert_true(t.overflow);
	text_putc(&t, 'z');
	assert_string_equal(text_str(&t), "abcd");

	text_reset(&t);
	text_printf(&t, "%d%s", 12, "34567");
	assert_false(t.overflow);
	assert_string_equal(text_str(&t), "1234567");
	text_printf(&t, "%s", "");
	assert_false(t.overflow);
	text_printf(&t, "%s", "8");
	assert_true(t.overflow);
	assert_string_equal(text_str(&t), "1234567");

	text_init(&t, NULL, 0);
	text_putc(&t, 'x');
	text_printf(&t, "x");
	assert_true(t.overflow);
	assert_string_equal(text_str(&t), "");
}

static void text_writes_numbers_and_lower_case(void **state)
{
	char buf[64];
	struct text t;

	(void)state;
	text_init(&t, buf, sizeof(buf));
	text_put_u64(&t, 0);
	text_putc(&t, ' ');
	text_put_u64(&t, UINT64_MAX);
	text_putc(&t, ' ');
	text_put_lower(&t, BYTES("MX.Example@[\xc4"));
	assert_string_equal(text_str(&t), "0 18446744073709551615 mx.example@[\xc4");
}

static void classes_are_ascii_in_every_octet(void **state)
{
	(void)state;
	for (int c = -1; c < 256; c++) {
		bool digit = c >= '0' && c <= '9';
		bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		assert_int_equal(ascii_is_alnum(c), digit || alpha);
		assert_int_equal(ascii_lower(c) != c || ascii_upper(c) != c, alpha);
		assert_int_equal(ascii_is_vchar(c), c >= 33 && c <= 126);
		assert_int_equal(ascii_is_ctl(c), (c >= 0 && c <= 31) || c == 127);
		assert_int_equal(ascii_hex_value(c), digit ? c - '0'
						     : alpha && (c | 32) <= 'f'
							     ? (c | 32) - 'a' + 10
							     : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_with_and_without_case),
		cmocka_unit_test(finds_prefixes_suffixes_and_octets),
		cmocka_unit_test(slices_never_leave_the_bytes),
		cmocka_unit_test(splits_into_all_pieces_also_empty_ones),
		cmocka_unit_test(reads_numbers_up_to_their_maximum),
		cmocka_unit_test(cursor_moves_only_on_success),
		cmocka_unit_test(cursor_takes_runs_up_to_a_mark),
		cmocka_unit_test(text_keeps_whole_pieces_only),
		cmocka_unit_test(text_writes_numbers_and_lower_case),
		cmocka_unit_test(classes_are_ascii_in_every_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
