#include "base/log.h"

#include <errno.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/pages.h"

static const char hex[] = "0123456789abcdef";

const char *log_severity_name(enum log_severity severity)
{
	switch (severity) {
#define X(id, number, name)                                                                        \
	case id: return name;
		LOG_SEVERITIES(X)
#undef X
	}
	return "?";
}

#define RING_SIZE ((size_t)LOG_RECORD_SIZE * LOG_RING_RECORDS)

int log_ring_init(struct log_ring *r, const char *name)
{
	void *records = pages_reserve(RING_SIZE);

	memset(r, 0, sizeof(*r));
	if (!records)
		return -ENOMEM;
	r->name = name;
	atomic_init(&r->max_severity, LOG_SEV_INFO);
	return spsc_init(&r->ring, records, LOG_RECORD_SIZE, LOG_RING_RECORDS);
}

void log_ring_fini(struct log_ring *r)
{
	pages_release(r->ring.records, RING_SIZE);
	memset(r, 0, sizeof(*r));
}

static bool is_plain(int c)
{
	return c >= 0x20 && c < 0x7f;
}

static size_t put_octet(char *out, unsigned char c, bool plain)
{
	if (plain) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

const char *log_value(char *buf, size_t cap, struct bytes value)
{
	bool quote = value.len == 0;
	size_t len = 0;

	/* Two quotes, one octet of four characters and the NUL are the least that make sense. */
	if (cap < 8)
		return "";
	for (size_t i = 0; i < value.len && !quote; i++)
		quote = value.data[i] == ' ' || value.data[i] == '=' || value.data[i] == '"';
	if (quote)
		buf[len++] = '"';
	for (size_t i = 0; i < value.len && len + 4 + 2 <= cap; i++) {
		unsigned char c = value.data[i];

		len += put_octet(buf + len, c, is_plain(c) && c != '"' && c != '\\');
	}
	if (quote)
		buf[len++] = '"';
	buf[len] = '\0';
	return buf;
}

static size_t plain_run(struct bytes b)
{
	size_t n = 0;

	while (n < b.len && is_plain(b.data[n]))
		n++;
	return n;
}

/* Copies as printable ASCII; what does not fit ends in "...". */
static size_t put_line(char *out, size_t cap, struct bytes raw)
{
	static const char cut[] = "...";
	size_t len = plain_run(raw);

	if (len == raw.len && len <= cap) {
		memcpy(out, raw.data, len);
		return len;
	}
	len = 0;
	for (size_t i = 0; i < raw.len; i++) {
		size_t need = is_plain(raw.data[i]) ? 1 : 4;
		size_t keep = i + 1 == raw.len ? 0 : sizeof(cut) - 1;

		if (len + need + keep > cap) {
			memcpy(out + len, cut, sizeof(cut) - 1);
			return len + sizeof(cut) - 1;
		}
		len += put_octet(out + len, raw.data[i], need == 1);
	}
	return len;
}

#define QID_MAX 32

static size_t put_qid(char *out, const char *qid)
{
	size_t len = strnlen(qid, QID_MAX);

	memcpy(out, qid, len);
	memcpy(out + len, ": ", 2);
	return len + 2;
}

static void fill_record(struct log_record *rec, enum log_severity severity, const char *qid,
	const char *format, va_list args)
{
	char raw[LOG_RECORD_SIZE];
	size_t prefix = put_qid(raw, qid ? qid : "NOQUEUE");
	int rest = format_text(raw + prefix, sizeof(raw) - prefix, format, args);
	size_t len = prefix + (rest > 0 ? (size_t)rest : 0);

	if (len > sizeof(raw) - 1)
		len = sizeof(raw) - 1; /* longer than text[], so put_line() marks the cut */
	rec->severity = (uint8_t)severity;
	rec->qid_len = (uint8_t)(prefix - 2);
	rec->len = (uint16_t)put_line(rec->text, sizeof(rec->text), bytes_of(raw, len));
}

void log_event(
	struct log_ring *r, enum log_severity severity, const char *qid, const char *format, ...)
{
	struct log_record *rec;
	va_list args;

	if (!log_wants(r, severity))
		return;
	rec = spsc_reserve(&r->ring);
	if (!rec) {
		atomic_fetch_add_explicit(&r->dropped, 1, memory_order_relaxed);
		return;
	}
	rec->unix_us = clock_unix_us();
	va_start(args, format);
	fill_record(rec, severity, qid, format, args);
	va_end(args);
	spsc_commit(&r->ring);
	atomic_fetch_add_explicit(&r->written, 1, memory_order_relaxed);
}

void logger_init(struct logger *l)
{
	memset(l, 0, sizeof(*l));
}

int logger_add(struct logger *l, struct log_ring *r)
{
	uint32_t slot = atomic_load_explicit(&l->ring_count, memory_order_relaxed);

	do {
		if (slot >= LOG_MAX_RINGS)
			return -ENOSPC;
	} while (!atomic_compare_exchange_weak_explicit(
		&l->ring_count, &slot, slot + 1, memory_order_relaxed, memory_order_relaxed));
	atomic_store_explicit(&l->rings[slot], r, memory_order_release);
	return 0;
}

static void __attribute__((format(printf, 2, 3)))
fill_own_record(struct log_record *rec, const char *format, ...)
{
	va_list args;

	rec->unix_us = clock_unix_us();
	va_start(args, format);
	fill_record(rec, LOG_SEV_WARNING, NULL, format, args);
	va_end(args);
}

static uint64_t tell_drops(struct log_ring *r, log_sink_fn sink, void *ctx)
{
	uint64_t dropped = atomic_load_explicit(&r->dropped, memory_order_relaxed);
	struct log_record rec;

	if (dropped == r->dropped_told)
		return 0;
	fill_own_record(&rec, "event=log-dropped thread=%s lines=%llu", r->name,
		(unsigned long long)(dropped - r->dropped_told));
	r->dropped_told = dropped;
	sink(ctx, &rec);
	return 1;
}

static uint64_t drain_ring(struct log_ring *r, log_sink_fn sink, void *ctx)
{
	uint64_t records = 0;

	while (records < LOG_RING_RECORDS) {
		const struct log_record *rec = spsc_peek(&r->ring);

		if (!rec)
			break;
		sink(ctx, rec);
		spsc_pop(&r->ring);
		records++;
	}
	return records + tell_drops(r, sink, ctx);
}

uint64_t log_drain(struct logger *l, log_sink_fn sink, void *ctx)
{
	uint32_t count = atomic_load_explicit(&l->ring_count, memory_order_acquire);
	uint64_t records = 0;

	for (uint32_t i = 0; i < count; i++) {
		/* A thread that is just being added has its number before its ring. */
		struct log_ring *r = atomic_load_explicit(&l->rings[i], memory_order_acquire);

		if (r)
			records += drain_ring(r, sink, ctx);
	}
	return records;
}
