#include "gateway/cli/cli_time.h"

#include "base/testing.h"

#include <stdlib.h>
#include <time.h>

#define NOW_US UINT64_C(1795524994000000)

static void a_time_is_an_age_a_date_or_seconds(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds; /* 0: refused */
	} cases[] = {
		{"@1795500000", 1795500000},
		{"2h", 1795524994 - 7200},
		{"3d", 1795524994 - 3 * 86400},
		{"2026-11-24T10:30:00Z", 1795516200},
		{"2026-11-24T10:30Z", 1795516200},
		{"2026-11-24Z", 1795478400},
		{"2026-11-24T10:30", 1795516200}, /* local time is UTC here */
		{"yesterday", 0},
		{"2026-11-24T10:30+01:00", 0},
		{"", 0},
		{"@", 0},
		{"5", 0},
	};

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t us = 0;
		bool good = cli_time_parse(cases[i].text, NOW_US, &us);

		if (good != (cases[i].seconds != 0) || us / 1000000 != cases[i].seconds)
			fail_msg("%s: %llu", cases[i].text, (unsigned long long)us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_an_age_a_date_or_seconds),
	};

	return cmocka_run_group_tests_name("cli cli_time", tests, NULL, NULL);
}
