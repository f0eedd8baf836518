/*
 * The backends: connections to LMTP servers over kernel sockets, non-blocking, kept open from mail
 * to mail. A server that cannot be reached is left alone for a while that doubles, with jitter; a
 * mail is only given to a connection whose greeting is over, so that a server that is down costs no
 * mail an attempt. A backend that is quick is sent several mails at once (lmtp_client.h). All calls
 * belong to one thread.
 */
#pragma once

#include "base/counters.h"
#include "spool/lmtp/backend_tls.h"
#include "spool/lmtp/lmtp_client.h"

#define BACKENDS_MAX             16u
#define BACKENDS_CONNECTIONS_MAX 64u /* to one */
#define BACKENDS_ADDRESS_MAX     160u
#define BACKENDS_BACKOFF_MIN_US  250000u
#define BACKENDS_BACKOFF_MAX_US  30000000u
#define BACKENDS_IDLE_US         30000000u /* then QUIT */

#define BACKENDS_COUNTERS(X)                                                                       \
	X(BACKENDS_CONNECTED, "lmtp_connected", "connections to backends")                         \
	X(BACKENDS_UNREACHED, "lmtp_unreached", "connections that failed before LHLO was over")    \
	X(BACKENDS_BROKEN, "lmtp_broken", "connections that failed with a mail on them")           \
	X(BACKENDS_UNTRIED, "lmtp_untried", "mails taken back: the server had hung up while idle") \
	X(BACKENDS_MAILS, "lmtp_mails", "mails sent, whatever the results")

COUNTERS_DECLARE(backends, BACKENDS_COUNTERS)

struct backends_config {
	struct {
		const char *address; /* unix:/path, tcp:HOST:PORT, tcp:[V6]:PORT */
		unsigned connections;
		struct backend_tls tls; /* open NULL: none */
		bool starttls;          /* it begins after STARTTLS, which must be offered */
	} list[BACKENDS_MAX];
	unsigned n;
	const char *hostname; /* for LHLO; borrowed */
	uint64_t connect_timeout_us, reply_timeout_us;
	uint64_t seed;
};

struct backends_events {
	void *arg;
	/*
	 * The mail is over; its recipients have results, but for `untried`: send it again. Must not
	 * call backends_send().
	 */
	void (*done)(void *arg, struct lmtp_mail *mail, const char *backend, bool untried);
	/* A backend cannot be reached, or can again (reason NULL). */
	void (*health)(void *arg, const char *backend, const char *reason, uint64_t wait_us);
};

struct backends;

/* Host names are looked up here, and then again as connections are made, without waiting. 0 or
 * -errno with the reason. */
int backends_new(const struct backends_config *config, const struct backends_events *events,
	struct backends **out, struct text *why);
/* Mails under way end, as temporarily failed, without an event. */
void backends_free(struct backends *b);

/* `waiting` mails would be sent now: opens connections for them, as far as it may. */
void backends_want(struct backends *b, unsigned waiting, uint64_t now_us);
/*
 * Gives the mail, borrowed until done(), to a connection that may have it; false if there is none.
 * It goes with the next backends_flush(), and with it what else that connection was given.
 */
bool backends_send(struct backends *b, struct lmtp_mail *mail, uint64_t now_us);
void backends_flush(struct backends *b, uint64_t now_us);
/* There is a connection that may have a mail. */
bool backends_take(const struct backends *b);
/* Those that cannot be reached are tried again as soon as they are wanted. */
void backends_retry_now(struct backends *b);
/* backends_wait() returns for this descriptor too, from now on. 0 or -errno. */
int backends_watch(struct backends *b, int fd);
/* Waits for sockets, `wake_fd` (-1: none) or the timeout; backends_handle() deals with it. */
void backends_wait(struct backends *b, int wake_fd, int timeout_ms);
void backends_handle(struct backends *b, uint64_t now_us);
/* When backends_handle() has something to do though nothing came; UINT64_MAX: never. */
uint64_t backends_next_us(const struct backends *b);
const struct counter_block *backends_counters(const struct backends *b);
