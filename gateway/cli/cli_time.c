#include "gateway/cli/cli_time.h"

#include "gateway/control/config_value.h"

#include <time.h>

#define SECOND_US UINT64_C(1000000)

bool cli_age_parse(const char *text, uint64_t *age_us)
{
	static const struct config_unit units[] = {
		{"s", SECOND_US},
		{"m", 60 * SECOND_US},
		{"h", 3600 * SECOND_US},
		{"d", 86400 * SECOND_US},
		{NULL, 0},
	};

	return config_quantity(bytes_str(text), units, age_us) == 0;
}

static bool parse_date(const char *text, uint64_t *unix_us)
{
	static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, formats[i], &tm);
		bool utc = end && strcmp(end, "Z") == 0;
		time_t seconds;

		if (!end || (*end && !utc))
			continue;
		seconds = utc ? timegm(&tm) : mktime(&tm);
		*unix_us = (uint64_t)seconds * SECOND_US;
		return seconds >= 0;
	}
	return false;
}

bool cli_time_parse(const char *text, uint64_t now_us, uint64_t *unix_us)
{
	uint64_t n;

	if (text[0] == '@') {
		if (bytes_to_u64(bytes_str(text + 1), UINT32_MAX, &n) != 0)
			return false;
		*unix_us = n * SECOND_US;
		return true;
	}
	if (!cli_age_parse(text, &n))
		return parse_date(text, unix_us);
	*unix_us = n < now_us ? now_us - n : 0;
	return true;
}
