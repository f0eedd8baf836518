#include "base/mail_date.h"

/* Days to a date of the proleptic Gregorian calendar, in eras of 400 years that begin in March. */
static void civil_from_days(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;

	*day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	*month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	*year = (unsigned)(yoe + era * 400 + (*month <= 2));
}

void mail_date_put(struct text *out, uint64_t unix_s)
{
	static const char days_of_week[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	uint64_t days = unix_s / 86400;
	unsigned in_day = (unsigned)(unix_s % 86400), year, month, day;

	civil_from_days(days, &year, &month, &day);
	text_printf(out, "%s, %u %s %u %02u:%02u:%02u +0000", days_of_week[days % 7], day,
		months[month - 1], year, in_day / 3600, in_day / 60 % 60, in_day % 60);
}
