#include "auth/message/authres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static char buffer[16384];
static struct text out;

static struct authres begin(void)
{
	struct authres ar;

	text_init(&out, buffer, sizeof(buffer));
	authres_begin(&ar, &out, BYTES("mx.example.org"));
	return ar;
}

static void writes_methods_and_their_properties(void **state)
{
	struct authres ar = begin();

	(void)state;
	authres_method(&ar, "spf", AUTH_PASS);
	authres_property(&ar, "smtp", "mailfrom", BYTES("a.b+c@example.com"));
	authres_method(&ar, "dkim", AUTH_FAIL);
	authres_reason(&ar, BYTES("body hash"));
	authres_property(&ar, "header", "d", BYTES("example.com"));
	authres_property(&ar, "header", "b", BYTES("ab/c=d"));
	authres_comment(&ar, BYTES("2048-bit key"));
	authres_end(&ar);
	assert_string_equal(text_str(&out),
		"Authentication-Results: mx.example.org;\r\n"
		"\tspf=pass smtp.mailfrom=a.b+c@example.com;\r\n"
		"\tdkim=fail reason=\"body hash\" header.d=example.com header.b=\"ab/c=d\"\r\n"
		"\t(2048-bit key)\r\n");
}

static void no_method_is_none(void **state)
{
	struct authres ar = begin();

	(void)state;
	authres_end(&ar);
	assert_string_equal(text_str(&out), "Authentication-Results: mx.example.org; none\r\n");
}

static void check_value(struct bytes value, const char *expected)
{
	struct authres ar = begin();
	size_t from;

	authres_method(&ar, "x", AUTH_NONE);
	from = out.len;
	authres_property(&ar, "y", "z", value);
	assert_string_equal(text_str(&out) + from + strlen(" y.z="), expected);
}
#define CHECK_VALUE(literal, expected) check_value(BYTES(literal), expected)

static void a_value_is_bare_only_as_token_or_address(void **state)
{
	(void)state;
	CHECK_VALUE("example.org", "example.org");
	CHECK_VALUE("@example.org", "@example.org");
	CHECK_VALUE("a@example.org", "a@example.org");
	CHECK_VALUE("", "\"\"");
	CHECK_VALUE("a b@example.org", "\"a b@example.org\"");
	CHECK_VALUE("\"a b\"@example.org", "\"\\\"a b\\\"@example.org\"");
	CHECK_VALUE("a@b@example.org", "\"a@b@example.org\"");
	CHECK_VALUE("a..b@example.org", "\"a..b@example.org\"");
	CHECK_VALUE("a@", "\"a@\"");
	CHECK_VALUE("a@[192.0.2.1]", "\"a@[192.0.2.1]\"");
}

static void nothing_breaks_out_of_a_value(void **state)
{
	(void)state;
	CHECK_VALUE("a\"; dkim=pass@evil.org", "\"a\\\"; dkim=pass@evil.org\"");
	CHECK_VALUE("a\\", "\"a\\\\\"");
	CHECK_VALUE("a\\\"; x", "\"a\\\\\\\"; x\"");
	CHECK_VALUE("a(b", "\"a(b\"");
	CHECK_VALUE("a;b", "\"a;b\"");
	CHECK_VALUE("a\r\nX: y", "\"a??X: y\"");
	CHECK_VALUE("a\0b", "\"a?b\"");
	CHECK_VALUE("a\x7f", "\"a?\"");
	CHECK_VALUE("a\tb", "\"a?b\"");
}

static void well_formed_utf8_passes_quoted_and_nothing_else_above_127(void **state)
{
	(void)state;
	CHECK_VALUE("j\xc3\xb6@x", "\"j\xc3\xb6@x\"");
	CHECK_VALUE("\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
	CHECK_VALUE("\xc3", "\"?\"");
	CHECK_VALUE("\xc3(", "\"?(\"");
	CHECK_VALUE("\xc0\xa2", "\"??\"");           /* overlong quote */
	CHECK_VALUE("\xc2\x85", "\"??\"");           /* NEL */
	CHECK_VALUE("\xed\xa0\x80", "\"???\"");      /* surrogate */
	CHECK_VALUE("\xf4\x90\x80\x80", "\"????\""); /* above U+10FFFF */
}

static void a_comment_cannot_be_left(void **state)
{
	struct authres ar = begin();
	size_t from;

	(void)state;
	authres_method(&ar, "x", AUTH_NONE);
	from = out.len;
	authres_comment(&ar, BYTES("a) dmarc=pass (\\\r\n"));
	assert_string_equal(text_str(&out) + from, " (a\\) dmarc=pass \\(\\\\?\?)");
}

static size_t longest_line(void)
{
	struct bytes rest = text_bytes(&out), line;
	size_t longest = 0;

	while (bytes_split(&rest, '\n', &line)) {
		size_t len = line.len + (line.len > 0 && line.data[0] == '\t' ? 7 : 0);

		longest = len > longest ? len : longest;
	}
	return longest - 1; /* the CR */
}

static void lines_end_before_column_78(void **state)
{
	struct authres ar = begin();

	(void)state;
	authres_method(&ar, "spf", AUTH_PERMERROR);
	authres_reason(&ar, BYTES("a rather long reason, made of many short words, that has to be "
				  "folded more than once to fit on lines of that length"));
	for (int i = 0; i < 20; i++)
		authres_property(&ar, "smtp", "mailfrom", BYTES("somebody@somewhere.example.org"));
	authres_comment(
		&ar, BYTES("and a comment, which is made of words as well, so that a line can "
			   "always be ended in time whatever comes"));
	authres_end(&ar);
	assert_true(longest_line() <= 78);
}

static void what_is_too_long_is_left_out_or_cut(void **state)
{
	static uint8_t value[AUTHRES_VALUE_MAX + 1];
	struct authres ar = begin();

	(void)state;
	memset(value, 'x', sizeof(value));
	authres_method(&ar, "spf", AUTH_PASS);
	authres_property(&ar, "smtp", "mailfrom", bytes_of(value, sizeof(value)));
	assert_string_equal(text_str(&out), "Authentication-Results: mx.example.org;\r\n"
					    "\tspf=pass (smtp.mailfrom is too long)");
	authres_comment(&ar, bytes_of(value, sizeof(value)));
	assert_true(bytes_ends_nocase(text_bytes(&out), BYTES("xxx...)")));
	assert_true(longest_line() < 998);
}

static void check_claims(const char *value, bool expected)
{
	size_t len = strlen(value);
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, value, len);
	if (authres_claims(bytes_of(copy, len), BYTES("mx.example.org")) != expected)
		fail_msg("%s: %s", value, expected ? "not recognised" : "taken for ours");
	free(copy);
}

static void recognises_our_id_in_any_dress(void **state)
{
	static const char *const ours[] = {
		" mx.example.org; spf=pass",
		"mx.example.org;spf=pass",
		" MX.Example.ORG; none",
		" mx.example.org 1; spf=pass",
		" mx.example.org/1; spf=pass",
		" mx.example.org (c) 1; spf=pass",
		" (c (d \\) e)) mx.example.org; spf=pass",
		"\r\n\tmx.example.org;\r\n\tspf=pass",
		" \"mx.example.org\"; spf=pass",
		" \"mx.ex\\ample.org\"; spf=pass",
		" \"mx.\"example.org; spf=pass",
		" mx.example.org.; spf=pass",
		" mx . example . org; spf=pass",
		" mx.(c)example.org; spf=pass",
		" mx.example.org",
		" mx.example.org\t; spf=pass",
		" (open mx.example.org; spf=pass",
		" \"open mx.example.org; spf=pass",
		" =?utf-8?q?mx=2Eexample.org?=; spf=pass",
		" \" mx.example.org\"; spf=pass",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		check_claims(ours[i], true);
}

static void leaves_the_ids_of_others(void **state)
{
	static const char *const theirs[] = {
		" mx.example.com; spf=pass",
		" mx.example.org.evil.org; spf=pass",
		" xmx.example.org; spf=pass",
		" example.org; spf=pass",
		" a.org; spf=pass smtp.mailfrom=mx.example.org",
		" a.org (mx.example.org); spf=pass",
		" a.org mx.example.org; spf=pass",
		" (open a.org",
		"",
		" ;mx.example.org",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		check_claims(theirs[i], false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_methods_and_their_properties),
		cmocka_unit_test(no_method_is_none),
		cmocka_unit_test(a_value_is_bare_only_as_token_or_address),
		cmocka_unit_test(nothing_breaks_out_of_a_value),
		cmocka_unit_test(well_formed_utf8_passes_quoted_and_nothing_else_above_127),
		cmocka_unit_test(a_comment_cannot_be_left),
		cmocka_unit_test(lines_end_before_column_78),
		cmocka_unit_test(what_is_too_long_is_left_out_or_cut),
		cmocka_unit_test(recognises_our_id_in_any_dress),
		cmocka_unit_test(leaves_the_ids_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
