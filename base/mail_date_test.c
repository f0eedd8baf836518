#include "base/mail_date.h"

#include "base/testing.h"

static void dates_are_as_the_calendar_has_them(void **state)
{
	static const struct {
		uint64_t unix_s;
		const char *text;
	} cases[] = {
		{0, "Thu, 1 Jan 1970 00:00:00 +0000"},
		{951782399, "Mon, 28 Feb 2000 23:59:59 +0000"},
		{951782400, "Tue, 29 Feb 2000 00:00:00 +0000"},
		{1795524994, "Tue, 24 Nov 2026 12:56:34 +0000"},
		{4107542400, "Mon, 1 Mar 2100 00:00:00 +0000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];
		struct text t;

		text_init(&t, buf, sizeof(buf));
		mail_date_put(&t, cases[i].unix_s);
		assert_string_equal(text_str(&t), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_as_the_calendar_has_them),
	};

	return cmocka_run_group_tests_name("base mail_date", tests, NULL, NULL);
}
