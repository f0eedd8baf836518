#include "auth/message/cfws.h"

#include "base/testing.h"

static void skips_blanks_folds_and_comments(void **state)
{
	static const struct {
		const char *text;
		bool good;
		const char *rest; /* where it is good */
	} cases[] = {
		{"", true, ""},
		{"x", true, "x"},
		{" \tx", true, "x"},
		{"\r\n x", true, "x"},
		{" \r\n\t\r\n x", true, "x"},
		{"(a)x", true, "x"},
		{" (a (b) \\) c)\r\n (d) x (e)", true, "x (e)"},
		{"(a\r\n b)x", true, "x"},
		{")x", true, ")x"},
		{"\r\nx", true, "\r\nx"}, /* no fold */
		{"\rx", true, "\rx"},
		{"(", false, NULL},
		{"(a (b)", false, NULL},
		{"(a\\", false, NULL},
		{"(a\rb)", false, NULL},
		{"(a\nb)", false, NULL},
		{"(a\x01)", false, NULL},
		{"((((((((((((((((a))))))))))))))))x", true, "x"},
		{"(((((((((((((((((a)))))))))))))))))x", false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cursor c = cursor_of(bytes_str(cases[i].text));
		bool good = cfws_skip(&c);

		if (good != cases[i].good ||
			(good && !bytes_eq(cursor_rest(&c), bytes_str(cases[i].rest))))
			fail_msg("%s", cases[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(skips_blanks_folds_and_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
