/* What a run has seen, and how it is told. */
#pragma once

#include "bench/load/histogram.h"
#include "bench/load/load_options.h"
#include "bench/load/smtp_client.h"
#include "bench/load/transport.h"

#include <stdio.h>

/* What is timed, in microseconds: name, what it is. */
#define LOAD_TIMES(X)                                                                              \
	X(LOAD_TIME_CONNECT, "connect", "until the connection is open")                            \
	X(LOAD_TIME_GREETING, "greeting", "then until EHLO is answered")                           \
	X(LOAD_TIME_MAIL, "mail", "from MAIL to the final reply")                                  \
	X(LOAD_TIME_COMMIT, "commit", "from the last octet of a mail to its reply")                \
	X(LOAD_TIME_NOOP, "noop", "a NOOP on a held session")                                      \
	X(LOAD_TIME_LATE, "late", "how late the generator was with a NOOP")                        \
	X(LOAD_TIME_SESSION, "session", "from the first try to 221, retries and all")

enum load_time {
#define X(id, name, what) id,
	LOAD_TIMES(X)
#undef X
		LOAD_TIME_COUNT
};

#define LOAD_CODES 600u
/* A session is in time up to there. */
#define LOAD_SESSION_US UINT64_C(10000000)
/* Seconds whose NOOPs are told one by one. */
#define LOAD_SECONDS_MAX 600u

struct load_stats {
	uint64_t started, accepted, refused; /* mails */
	uint64_t counted;                    /* accepted inside the window below */
	uint64_t octets;                     /* of content accepted inside it */
	uint64_t connected, greeted, said_421;
	uint64_t sessions_begun, sessions_done, sessions_in_time; /* of those that send mail */
	uint64_t noops;
	uint64_t errors[LOAD_ERROR_COUNT], n_errors;
	uint64_t syns, syn_answers;
	uint64_t replies[LOAD_CODES];
	char samples[LOAD_CODES][SMTP_CLIENT_TEXT_MAX + 1]; /* the first text of each code */
	struct histogram times[LOAD_TIME_COUNT];
	uint32_t noop_p99_us[LOAD_SECONDS_MAX]; /* of each second that had NOOPs, the last ones */
	uint32_t n_noop_p99;
	uint64_t window_from_us, window_to_us;
	uint32_t held, held_peak; /* idle sessions */
	uint32_t open;
	bool gave_up;
};

void load_stats_reply(struct load_stats *stats, const struct smtp_client *client);
void load_stats_error(struct load_stats *stats, enum load_error error);
/* Of the window; 0 where there is none. */
double load_stats_seconds(const struct load_stats *stats);

struct load_progress {
	uint64_t at_us, accepted, n_errors, noops, syns;
	struct histogram mail, noop; /* of this second */
};

/* One line of what happened in this second. */
void load_progress_print(const struct load_progress *progress, const struct load_stats *stats,
	uint64_t start_us, uint64_t now_us, FILE *out);
/* Keeps what is kept of a second, and begins the next. */
void load_progress_next(struct load_progress *progress, struct load_stats *stats, uint64_t now_us);

void load_report_table(
	const struct load_stats *stats, const struct load_options *options, FILE *out);
/* With the transport's own counters. */
void load_report_json(const struct load_stats *stats, const struct load_options *options,
	const struct transport *transport, FILE *out);
