#include "base/utf8.h"

#include "base/testing.h"

static void sequences_are_those_of_rfc_3629(void **state)
{
	static const struct {
		struct bytes octets;
		size_t len;
	} cases[] = {
		{BYTES("a"), 0},
		{BYTES("\x80"), 0},
		{BYTES("\xc1\xbf"), 0}, /* overlong */
		{BYTES("\xc2\x80"), 2},
		{BYTES("\xdf\xbf"
		       "a"),
			2},
		{BYTES("\xc2"), 0},
		{BYTES("\xc2"
		       "a"),
			0},
		{BYTES("\xe0\x9f\xbf"), 0}, /* overlong */
		{BYTES("\xe0\xa0\x80"), 3},
		{BYTES("\xe2\x82"), 0},
		{BYTES("\xed\x9f\xbf"), 3},
		{BYTES("\xed\xa0\x80"), 0}, /* surrogates */
		{BYTES("\xed\xbf\xbf"), 0},
		{BYTES("\xee\x80\x80"), 3},
		{BYTES("\xf0\x8f\xbf\xbf"), 0}, /* overlong */
		{BYTES("\xf0\x90\x80\x80"), 4},
		{BYTES("\xf4\x8f\xbf\xbf"), 4},
		{BYTES("\xf4\x90\x80\x80"), 0}, /* above U+10FFFF */
		{BYTES("\xf5\x80\x80\x80"), 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(utf8_len(cases[i].octets), cases[i].len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_are_those_of_rfc_3629),
	};

	return cmocka_run_group_tests_name("base utf8", tests, NULL, NULL);
}
