#include "gateway/smtp/smtp_reply.h"

static const struct smtp_reply replies[] = {
#define X(name, code, status, text) [SMTP_REPLY_##name] = {code, status, text},
	SMTP_REPLIES(X)
#undef X
};

const struct smtp_reply *smtp_reply_get(enum smtp_reply_id id)
{
	return &replies[id];
}

/* RFC 5321 §4.5.3.1.5: a reply line has 512 octets with code and CRLF. */
#define LINE_TEXT_MAX (SMTP_REPLY_MAX - 2 - 4 - 8)
#define LINES_MAX     8

static void put_line(
	struct text *out, const struct smtp_reply *reply, char separator, struct bytes text)
{
	text_put_u64(out, reply->code);
	text_putc(out, separator);
	if (reply->status[0]) {
		text_put(out, bytes_str(reply->status));
		text_putc(out, ' ');
	}
	for (size_t i = 0; i < text.len; i++)
		text_putc(out,
			text.data[i] >= 0x20 && text.data[i] < 0x7f ? (char)text.data[i] : '?');
	text_put(out, BYTES("\r\n"));
}

/* Where to break a text that is longer than a line: behind the last blank that fits. */
static size_t line_length(struct bytes text)
{
	size_t blank;

	if (text.len <= LINE_TEXT_MAX)
		return text.len;
	blank = bytes_rfind(bytes_slice(text, 0, LINE_TEXT_MAX), ' ');
	return blank == BYTES_NPOS ? LINE_TEXT_MAX : blank + 1;
}

void smtp_reply_put(struct text *out, const struct smtp_reply *reply, struct bytes text)
{
	for (unsigned lines = 1;; lines++) {
		size_t len = line_length(text);
		bool last = len == text.len || lines == LINES_MAX;

		put_line(out, reply, last ? ' ' : '-', bytes_slice(text, 0, len));
		if (last)
			return;
		text = bytes_from(text, len);
	}
}
