/* Where log lines go: text and JSON on a descriptor, and the journal. Logger thread only. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <errno.h>
#include <stdio.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/log.h"

/* LOG_MAIL of syslog. */
#define FACILITY_MAIL 2

/* Every octet of a line may need a backslash in JSON, and keys their quotes. */
#define JSON_LINE_MAX (LOG_RECORD_SIZE * 4)

_Static_assert(JSON_LINE_MAX <= LOG_OUT_OCTETS, "a line fits");

/* The logger's: most lines are of the same second as the one before. */
static _Thread_local struct {
	time_t seconds;
	char text[sizeof("2026-11-24T12:00:00")];
} last_time;

void log_put_time(struct text *out, uint64_t unix_us)
{
	time_t seconds = (time_t)(unix_us / 1000000);
	char fraction[] = ".000000Z";
	struct tm tm;

	if (seconds != last_time.seconds || !last_time.text[0]) {
		gmtime_r(&seconds, &tm);
		strftime(last_time.text, sizeof(last_time.text), "%Y-%m-%dT%H:%M:%S", &tm);
		last_time.seconds = seconds;
	}
	for (unsigned i = 6, rest = (unsigned)(unix_us % 1000000); i > 0; i--, rest /= 10)
		fraction[i] = (char)('0' + rest % 10);
	text_put(out, bytes_str(last_time.text));
	text_put(out, bytes_of(fraction, sizeof(fraction) - 1));
}

static void write_all(int fd, struct bytes b)
{
	while (b.len > 0) {
		ssize_t n = write(fd, b.data, b.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nowhere to complain */
		b = bytes_from(b, (size_t)n);
	}
}

void log_out_flush(struct log_out *out)
{
	write_all(out->fd, bytes_of(out->buf, out->len));
	out->len = 0;
}

void log_out_put(struct log_out *out, struct bytes line)
{
	if (line.len > sizeof(out->buf) - out->len)
		log_out_flush(out);
	memcpy(out->buf + out->len, line.data, line.len);
	out->len += (uint32_t)line.len;
}

void log_sink_text(void *ctx, const struct log_record *record)
{
	char buf[LOG_RECORD_SIZE + 64];
	struct text line;

	text_init(&line, buf, sizeof(buf));
	log_put_time(&line, record->unix_us);
	text_putc(&line, ' ');
	text_put(&line, bytes_str(log_severity_name((enum log_severity)record->severity)));
	text_putc(&line, ' ');
	text_put(&line, bytes_of(record->text, record->len));
	text_putc(&line, '\n');
	log_out_put(ctx, text_bytes(&line));
}

static bool is_key_char(int c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

static bool is_blank(int c)
{
	return c == ' ';
}

/* The next `key=value`, `key="quoted value"` or bare word (with an empty key). */
static bool next_token(struct cursor *c, struct bytes *key, struct bytes *value)
{
	struct cursor start;

	cursor_skip_wsp(c);
	if (cursor_done(c))
		return false;
	start = *c;
	*key = cursor_take_while(c, is_key_char);
	if (key->len == 0 || !cursor_accept(c, '=')) {
		*c = start;
		*key = bytes_of(c->at, 0);
		*value = cursor_take_until(c, is_blank);
	} else if (cursor_accept(c, '"')) {
		*value = cursor_take_to(c, '"');
		cursor_accept(c, '"');
	} else {
		*value = cursor_take_until(c, is_blank);
	}
	return true;
}

/* The bare words, joined by blanks. */
static void put_words(struct text *out, struct bytes body)
{
	char buf[LOG_RECORD_SIZE];
	struct cursor c = cursor_of(body);
	struct bytes key, value;
	struct text words;

	text_init(&words, buf, sizeof(buf));
	while (next_token(&c, &key, &value)) {
		if (key.len > 0)
			continue;
		if (words.len > 0)
			text_putc(&words, ' ');
		text_put(&words, value);
	}
	if (words.len == 0)
		return;
	text_put(out, BYTES(",\"message\":"));
	json_text_put(out, text_bytes(&words));
}

void log_format_json(const struct log_record *record, struct text *out)
{
	struct bytes line = bytes_of(record->text, record->len);
	struct bytes body = bytes_from(line, record->qid_len + 2u);
	struct cursor c = cursor_of(body);
	struct bytes key, value;

	text_put(out, BYTES("{\"time\":\""));
	log_put_time(out, record->unix_us);
	text_printf(out, "\",\"severity\":\"%s\",\"qid\":",
		log_severity_name((enum log_severity)record->severity));
	json_text_put(out, bytes_slice(line, 0, record->qid_len));
	put_words(out, body);
	while (next_token(&c, &key, &value)) {
		if (key.len == 0)
			continue;
		text_putc(out, ',');
		json_text_put(out, key);
		text_putc(out, ':');
		json_text_put(out, value);
	}
	text_putc(out, '}');
}

void log_sink_json(void *ctx, const struct log_record *record)
{
	char buf[JSON_LINE_MAX];
	struct text line;

	text_init(&line, buf, sizeof(buf));
	log_format_json(record, &line);
	text_putc(&line, '\n');
	log_out_put(ctx, text_bytes(&line));
}

void log_sink_journal(void *ctx, const struct log_record *record)
{
	char message[sizeof("MESSAGE=") + sizeof(record->text)];
	char priority[32], facility[32], qid[64];
	struct iovec fields[4];
	int lens[4];

	(void)ctx;
	lens[0] = snprintf(message, sizeof(message), "MESSAGE=%.*s", record->len, record->text);
	lens[1] = snprintf(priority, sizeof(priority), "PRIORITY=%u", record->severity);
	lens[2] = snprintf(facility, sizeof(facility), "SYSLOG_FACILITY=%d", FACILITY_MAIL);
	lens[3] = snprintf(qid, sizeof(qid), "POSTERN_QID=%.*s", record->qid_len, record->text);
	fields[0] = (struct iovec){message, (size_t)lens[0]};
	fields[1] = (struct iovec){priority, (size_t)lens[1]};
	fields[2] = (struct iovec){facility, (size_t)lens[2]};
	fields[3] = (struct iovec){qid, (size_t)lens[3]};
	(void)sd_journal_sendv(fields, 4);
}
