#include "auth/dkim/dkim_tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct list_case {
	const char *list;
	enum dkim_tags_error error;
	const char *shown; /* "name=value|..." */
};

static const struct list_case list_cases[] = {
	{"a=1", DKIM_TAGS_OK, "a=1|"},
	{"a=1;", DKIM_TAGS_OK, "a=1|"},
	{"a=1; \r\n ", DKIM_TAGS_OK, "a=1|"},
	{"a=1;b=", DKIM_TAGS_OK, "a=1|b=|"},
	{" v = 1 ;\r\n\t b\t=\r\n  x y\r\n  z ; c=", DKIM_TAGS_OK, "v=1|b=x y\r\n  z|c=|"},
	{"a=b=c=", DKIM_TAGS_OK, "a=b=c=|"},
	{"a=1;A=2", DKIM_TAGS_OK, "a=1|A=2|"},
	{"a_1=\xc3\xa9", DKIM_TAGS_OK, "a_1=\xc3\xa9|"},
	{"a=1;b=2;a=1", DKIM_TAGS_DUPLICATE, ""},
	{"", DKIM_TAGS_SYNTAX, ""},
	{";", DKIM_TAGS_SYNTAX, ""},
	{"a=1;;b=2", DKIM_TAGS_SYNTAX, ""},
	{"a=1;;", DKIM_TAGS_SYNTAX, ""},
	{"a", DKIM_TAGS_SYNTAX, ""},
	{"a=1;b", DKIM_TAGS_SYNTAX, ""},
	{"=1", DKIM_TAGS_SYNTAX, ""},
	{"1a=1", DKIM_TAGS_SYNTAX, ""},
	{"a-b=1", DKIM_TAGS_SYNTAX, ""},
	{"a b=1", DKIM_TAGS_SYNTAX, ""},
	{"a=\x01", DKIM_TAGS_SYNTAX, ""},
	{"a=\x7f", DKIM_TAGS_SYNTAX, ""},
};

static void reads_lists_as_the_grammar_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(list_cases) / sizeof(list_cases[0]); i++) {
		const struct list_case *c = &list_cases[i];
		struct dkim_tags tags;
		char shown[256];
		struct text text;

		assert_int_equal(dkim_tags_parse(bytes_str(c->list), &tags), c->error);
		if (c->error != DKIM_TAGS_OK)
			continue;
		text_init(&text, shown, sizeof(shown));
		for (unsigned k = 0; k < tags.n; k++)
			text_printf(&text, "%.*s=%.*s|", BYTES_FMT(tags.tag[k].name),
				BYTES_FMT(tags.tag[k].value));
		assert_string_equal(text_str(&text), c->shown);
	}
}

static void refuses_more_tags_than_the_limit(void **state)
{
	char list[16 * (DKIM_TAGS_MAX + 1)];
	struct dkim_tags tags;
	struct text text;

	(void)state;
	text_init(&text, list, sizeof(list));
	for (unsigned i = 0; i < DKIM_TAGS_MAX; i++)
		text_printf(&text, "t%u=1;", i);
	assert_int_equal(dkim_tags_parse(text_bytes(&text), &tags), DKIM_TAGS_OK);
	assert_int_equal(tags.n, DKIM_TAGS_MAX);
	text_printf(&text, "x=1");
	assert_int_equal(dkim_tags_parse(text_bytes(&text), &tags), DKIM_TAGS_TOO_MANY);
}

static void keeps_the_raw_value_to_be_cut(void **state)
{
	struct dkim_tags tags;
	(void)state;
	assert_int_equal(dkim_tags_parse(BYTES("a=1; b =\r\n x y ; c=2"), &tags), DKIM_TAGS_OK);
	assert_true(bytes_eq(dkim_tags_find(&tags, "b")->raw, BYTES("\r\n x y ")));
	assert_true(bytes_eq(dkim_tags_find(&tags, "b")->value, BYTES("x y")));
	assert_null(dkim_tags_find(&tags, "B"));
}

struct base64_case {
	const char *text, *octets; /* NULL: refused */
};

static const struct base64_case base64_cases[] = {
	{"", ""},
	{"Zg==", "f"},
	{"Zm8=", "fo"},
	{"Zm9v", "foo"},
	{"Z m\r\n\t9v\tYg = =", "foob"},
	{"+/+/", "\xfb\xff\xbf"},
	{"Zm9vZm9vZg==", "foofoof"},
	{"Zm9vZ\r\n m9vZm8=", "foofoofo"},
	{"Zm9vZm9v\t", "foofoo"},
	{"Zm9vZm9v=", NULL},
	{"Zm9vZm9!Zm9v", NULL},
	{"Zm9vZg==Zm9v", NULL},
	{"Zg", NULL},
	{"Zg=", NULL},
	{"Zg===", NULL},
	{"Z===", NULL},
	{"====", NULL},
	{"Zg==Zg==", NULL},
	{"Zm9v=", NULL},
	{"Zm-v", NULL},
	{"Zm9\x80", NULL},
};

static void decodes_base64_with_blanks_and_strict_padding(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(base64_cases) / sizeof(base64_cases[0]); i++) {
		const struct base64_case *c = &base64_cases[i];
		uint8_t out[16];
		size_t len;
		bool good = dkim_tags_base64(bytes_str(c->text), out, sizeof(out), &len);
		if (good != (c->octets != NULL))
			fail_msg("case %zu: %s", i, c->text);
		if (good)
			assert_true(bytes_eq(bytes_of(out, len), bytes_str(c->octets)));
	}
}

static void refuses_base64_over_the_capacity(void **state)
{
	uint8_t out[3];
	size_t len;
	(void)state;
	assert_true(dkim_tags_base64(BYTES("Zm9v"), out, 3, &len));
	assert_false(dkim_tags_base64(BYTES("Zm9v"), out, 2, &len));
	assert_false(dkim_tags_base64(BYTES("Zm9vZg=="), out, 3, &len));
}

static void finds_items_of_colon_lists(void **state)
{
	(void)state;
	assert_true(dkim_tags_has_item(BYTES("y : s"), BYTES("s")));
	assert_true(dkim_tags_has_item(BYTES("y\r\n :s"), BYTES("y")));
	assert_false(dkim_tags_has_item(BYTES("yes:so"), BYTES("s")));
	assert_false(dkim_tags_has_item(BYTES("S"), BYTES("s")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lists_as_the_grammar_says),
		cmocka_unit_test(refuses_more_tags_than_the_limit),
		cmocka_unit_test(keeps_the_raw_value_to_be_cut),
		cmocka_unit_test(decodes_base64_with_blanks_and_strict_padding),
		cmocka_unit_test(refuses_base64_over_the_capacity),
		cmocka_unit_test(finds_items_of_colon_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
