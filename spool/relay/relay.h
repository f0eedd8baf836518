/*
 * The relay: an SMTP server that takes the mails of our own making (bounces) to wherever they go.
 * By libcurl's multi interface, on a thread of its own, since libcurl waits for the answer to QUIT:
 * relay_run_once() and relay_new() are that thread's, all else belongs to the sender's.
 *
 * A mail goes to its recipients in one transaction of a connection of its own: there are few.
 */
#pragma once

#include "base/counters.h"
#include "spool/lmtp/lmtp_client.h"

#define RELAY_MAILS_MAX 32u /* under way at once */

#define RELAY_COUNTERS(X)                                                                          \
	X(RELAY_SENT, "relay_sent", "mails the relay took")                                        \
	X(RELAY_DEFERRED, "relay_deferred", "mails it did not take for now, or was not there for") \
	X(RELAY_REFUSED, "relay_refused", "mails it refused for good")

COUNTERS_DECLARE(relay, RELAY_COUNTERS)

#define RELAY_TLS(X)                                                                               \
	X(RELAY_TLS_MAY, "may")         /* where it is offered; the certificate may be any */      \
	X(RELAY_TLS_REQUIRE, "require") /* or the mail waits; the certificate is verified */       \
	X(RELAY_TLS_NEVER, "never")

enum relay_tls {
#define X(id, word) id,
	RELAY_TLS(X)
#undef X
};

/* Strings are borrowed until relay_new() returns. */
struct relay_config {
	const char *url;             /* smtp://HOST[:PORT] or smtps://HOST[:PORT]; NULL: no relay */
	const char *hostname;        /* for EHLO */
	const char *user, *password; /* NULL: no AUTH; else TLS must be required */
	enum relay_tls tls;
	const char *ca_file;  /* NULL: the system's */
	unsigned connections; /* at most RELAY_MAILS_MAX; 0: one */
	uint32_t connect_timeout_ms, reply_timeout_ms;
};

struct relay_events {
	void *arg;
	/* The mail is over and its recipients have results, all the same. */
	void (*done)(void *arg, struct lmtp_mail *mail, const char *relay);
};

struct relay;

/* 0 or -errno with the reason. */
int relay_new(const struct relay_config *config, const struct relay_events *events,
	struct relay **out, struct text *why);
/* After relay_end() and the end of its thread. Mails under way end without an event. */
void relay_free(struct relay *relay);

bool relay_has_room(const struct relay *relay);
/* Begins with the mail, borrowed until done(). False: no room. */
bool relay_send(struct relay *relay, struct lmtp_mail *mail);
/* Readable when relay_handle() has something to do. */
int relay_fd(const struct relay *relay);
void relay_handle(struct relay *relay);
/* The relay's thread: does what is to be done, then waits for more or the timeout. */
void relay_run_once(struct relay *relay, int timeout_ms);
/* Any thread: every wait of the relay's thread ends at once, and no connection is made any more. */
void relay_end(struct relay *relay);
const struct counter_block *relay_counters(const struct relay *relay);
