#include "auth/message/received.h"

#define WORD_MAX     255 /* octets of a name that are shown */
#define PATH_MAX_LEN 320

/* Between blanks these cannot be taken for anything but a name or address literal. */
static bool is_word_octet(int c)
{
	return ascii_is_alnum(c) || (c != 0 && c < 0x80 && strchr("-._:[]/", c));
}

static void put_word(struct text *out, struct bytes word)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < word.len && i < WORD_MAX; i++) {
		uint8_t c = word.data[i];

		if (is_word_octet(c))
			text_putc(out, (char)c);
		else
			text_printf(out, "+%c%c", hex[c >> 4], hex[c & 15]);
	}
	if (word.len > WORD_MAX)
		text_put(out, BYTES("..."));
}

/* A path is shown as it is or not at all. */
static bool is_showable_path(struct bytes path)
{
	for (size_t i = 0; i < path.len; i++) {
		int c = path.data[i];

		if (c < ' ' || c >= 0x7f || c == '<' || c == '>')
			return false;
	}
	return path.len > 0 && path.len <= PATH_MAX_LEN;
}

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

static void put_date(struct text *out, uint64_t unix_s)
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

void received_put(const struct received *r, struct text *out)
{
	char addr[IP_ADDR_TEXT_MAX];

	ip_addr_format(&r->client, addr);
	text_put(out, BYTES("Received: from "));
	put_word(out, r->helo.len > 0 ? r->helo : BYTES("unknown"));
	text_put(out, BYTES(" ("));
	put_word(out, r->client_name.len > 0 ? r->client_name : BYTES("unknown"));
	text_printf(out, " [%s%s])\r\n", ip_addr_is_v4(&r->client) ? "" : "IPv6:", addr);
	if (r->tls_version.len > 0) {
		text_put(out, BYTES("\t("));
		put_word(out, r->tls_version);
		text_put(out, BYTES(", "));
		put_word(out, r->tls_cipher);
		text_put(out, BYTES(")\r\n"));
	}
	text_put(out, BYTES("\tby "));
	put_word(out, r->host);
	text_put(out, BYTES(" with "));
	put_word(out, r->protocol);
	text_put(out, BYTES(" id "));
	put_word(out, r->queue_id);
	if (is_showable_path(r->recipient)) {
		text_put(out, BYTES("\r\n\tfor <"));
		text_put(out, r->recipient);
		text_putc(out, '>');
	}
	text_put(out, BYTES(";\r\n\t"));
	put_date(out, r->unix_s);
	text_put(out, BYTES("\r\n"));
}
