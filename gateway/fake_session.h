#pragma once

#include "auth/dns/dns_zone.h"
#include "gateway/fake_auth.h"
#include "gateway/mail.h"
#include "gateway/session.h"

/*
 * For tests: a worker without devices, threads or clock. Connections are buffers in memory, the
 * spool and the resolver are the test's own; SMTP, evaluation, policy and mail are the real thing.
 */

#define FAKE_OCTETS (1u << 20)

/* A connection. */
struct fake_conn {
	void *user;
	struct ip_addr peer;
	size_t in_from, in_len, out_len;
	size_t portion; /* octets that one peek shows; 0: all */
	size_t room;    /* octets that the peer still takes */
	uint32_t window;
	bool closed, aborted, released;
	uint8_t in[FAKE_OCTETS];
	char out[FAKE_OCTETS];
};

struct fakes {
	struct worker worker;
	struct config *config;
	struct recipients *recipients;
	struct dns_zone *zone;
	bool dns_silent;    /* questions stay unanswered */
	bool starved;       /* connections open without room for a reply */
	bool spool_is_full; /* reservations are refused */
	uint64_t spool_reserved;
	struct spool_request at_spooler[64]; /* oldest first */
	unsigned n_at_spooler;
	uint64_t octets_ahead; /* that the spooler took ahead of commits */
	unsigned n_aborts;
};

/* The one that is set up: cmocka's fixtures. */
extern struct fakes fakes;
int fakes_setup(void **state);
int fakes_teardown(void **state);

/* Go over to another configuration: lines of YAML besides those that every test has. */
void fakes_configure(const char *yaml);

void fake_conn_open(struct fake_conn *conn, const char *peer);
/* The peer says something, or shuts its side where `text` is NULL, and the worker runs. */
void fake_conn_say(struct fake_conn *conn, const char *text);
/* The peer takes `room` octets more. */
void fake_conn_read(struct fake_conn *conn, size_t room);
/* The connection broke. */
void fake_conn_break(struct fake_conn *conn);
/* What came out since the last call. */
const char *fake_conn_heard(struct fake_conn *conn);
/* Of that the reply codes, "220 250 ...". */
const char *fake_conn_codes(struct fake_conn *conn);

/* Poll rounds until there is nothing to do; questions are answered meanwhile. */
void fakes_run(void);
/* The resolver's part of it alone; returns how many. */
unsigned fakes_answer_questions(void);
/* Time passes, in small steps. */
void fakes_wait(uint32_t ms);
/* Asserts that all sessions and mails gave back what they had. */
void fakes_nothing_is_left(void);
/* The spooler's answer to the oldest request it has. */
void fakes_commit(int error);
