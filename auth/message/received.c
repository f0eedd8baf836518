#include "auth/message/received.h"

#include "base/mail_date.h"

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
	mail_date_put(out, r->unix_s);
	text_put(out, BYTES("\r\n"));
}
