/*
 * Log events: formatted by the thread they happen on into its own ring, without a system call, and
 * written out by the logger thread.
 *
 * One event a line: `QID: key=value ...`, or `NOQUEUE: key=value ...` where there is no mail. Lines
 * are printable ASCII whatever a peer sent: every other octet becomes \xNN. A value that a peer
 * chose goes through LOG_VALUE(), which also quotes it, so that it cannot pass for another key.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/spsc.h"

/* Severities of syslog (RFC 5424 §6.2.1): number, name. */
#define LOG_SEVERITIES(X)                                                                          \
	X(LOG_SEV_ERROR, 3, "error")                                                               \
	X(LOG_SEV_WARNING, 4, "warning")                                                           \
	X(LOG_SEV_NOTICE, 5, "notice")                                                             \
	X(LOG_SEV_INFO, 6, "info")                                                                 \
	X(LOG_SEV_DEBUG, 7, "debug")

enum log_severity {
#define X(id, number, name) id = number,
	LOG_SEVERITIES(X)
#undef X
};

const char *log_severity_name(enum log_severity severity);

#define LOG_RECORD_SIZE  1024u
#define LOG_RING_RECORDS 512u
#define LOG_MAX_RINGS    64u
#define LOG_VALUE_MAX    384u

/* One line. A line that was too long ends in "...". */
struct log_record {
	uint64_t unix_us; /* when it happened */
	uint16_t len;
	uint8_t severity; /* enum log_severity */
	uint8_t qid_len;  /* the text starts with that many octets of id, then ": " */
	char text[LOG_RECORD_SIZE - 12]; /* not NUL-terminated */
};

_Static_assert(sizeof(struct log_record) == LOG_RECORD_SIZE, "records tile the ring");

/* One producer thread's. */
struct log_ring {
	struct spsc ring;
	const char *name;
	_Atomic int max_severity; /* events above it (less severe) are not written */
	_Atomic uint64_t written;
	_Atomic uint64_t dropped; /* the ring was full */
	uint64_t dropped_told;    /* the logger's */
};

/* `name` is borrowed (the thread's, e.g. "io0"). Returns 0 or -ENOMEM. */
int log_ring_init(struct log_ring *r, const char *name);
void log_ring_fini(struct log_ring *r);

/* True if an event of that severity would be written; for events that are costly to gather. */
static inline bool log_wants(struct log_ring *r, enum log_severity severity)
{
	return r && (int)severity <= atomic_load_explicit(&r->max_severity, memory_order_relaxed);
}

/*
 * Writes one event; `qid` NULL gives NOQUEUE. `format` makes `key=value ...`. Never blocks: with
 * the ring full the event is dropped and counted. A NULL ring swallows it.
 */
void log_event(struct log_ring *r, enum log_severity severity, const char *qid, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/*
 * A peer's octets as one value, for %s: as it is, or in quotes where it is empty or holds a blank,
 * `=` or quote; octets outside printable ASCII, quotes and backslashes become \xNN. Cut to fit.
 * The text lives as long as the enclosing block.
 */
#define LOG_VALUE(b) log_value((char[LOG_VALUE_MAX]){0}, LOG_VALUE_MAX, (b))
const char *log_value(char *buf, size_t cap, struct bytes value);

/* Where lines go. */
typedef void (*log_sink_fn)(void *ctx, const struct log_record *record);

/* The logger's set of rings. */
struct logger {
	struct log_ring *_Atomic rings[LOG_MAX_RINGS];
	_Atomic uint32_t ring_count;
};

void logger_init(struct logger *l);
/* Any thread; the ring must outlive the logger. Returns 0 or -ENOSPC. */
int logger_add(struct logger *l, struct log_ring *r);
/* Logger thread: hands every waiting record to the sink, oldest first within each ring, and tells
 * of drops. At most one ringful a ring and call, so it ends. Returns the number of records. */
uint64_t log_drain(struct logger *l, log_sink_fn sink, void *ctx);

/* Lines on their way to a descriptor, many by one system call. */
#define LOG_OUT_OCTETS 65536u

struct log_out {
	int fd;
	uint32_t len;
	char buf[LOG_OUT_OCTETS];
};

/* Writes what has gathered; log_drain() is followed by it. */
void log_out_flush(struct log_out *out);
/* A line of at most LOG_OUT_OCTETS, its end among them; and when something was, as in other lines.
 */
void log_out_put(struct log_out *out, struct bytes line);
void log_put_time(struct text *out, uint64_t unix_us);

/* Sinks. For the first two `ctx` is a struct log_out. */
void log_sink_text(void *ctx, const struct log_record *record);
/* {"time":"...Z","severity":"info","qid":"...","key":"value",...}; bare words go into "message". */
void log_sink_json(void *ctx, const struct log_record *record);
/* The journal, with PRIORITY, SYSLOG_FACILITY=2 (mail) and POSTERN_QID; `ctx` is not used. */
void log_sink_journal(void *ctx, const struct log_record *record);

/* The line that log_sink_json() writes, without line end; for tests and other sinks. */
void log_format_json(const struct log_record *record, struct text *out);
