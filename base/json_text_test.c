#include "base/json_text.h"

#include "base/testing.h"

static void any_octets_become_a_string(void **state)
{
	static const struct {
		struct bytes value;
		const char *text;
	} cases[] = {
		{BYTES(""), "\"\""},
		{BYTES("a b"), "\"a b\""},
		{BYTES("\"\\"), "\"\\\"\\\\\""},
		{BYTES("\0\n\x1f\x7f"), "\"\\u0000\\u000a\\u001f\\u007f\""},
		{BYTES("\xc3\xa4\xf0\x9f\x93\xa7"), "\"\xc3\xa4\xf0\x9f\x93\xa7\""},
		{BYTES("\xff"
		       "a\xc3"),
			"\"\xef\xbf\xbd"
			"a\xef\xbf\xbd\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];
		struct text t;

		text_init(&t, buf, sizeof(buf));
		json_text_put(&t, cases[i].value);
		assert_string_equal(text_str(&t), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_octets_become_a_string),
	};

	return cmocka_run_group_tests_name("base json_text", tests, NULL, NULL);
}
