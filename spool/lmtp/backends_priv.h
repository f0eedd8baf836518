/* Inside of the backends: connections, and what becomes of them. */
#pragma once

#include <sys/epoll.h>

#include "spool/lmtp/backend_address.h"
#include "spool/lmtp/backend_lookup.h"
#include "spool/lmtp/backends.h"

#define EVENTS_MAX 64
#define OUT_OCTETS (256u << 10)
/*
 * A connection is given so many mails as its backend finishes in about this time, by the best that
 * was seen of late: a store that takes milliseconds for a mail gets one at a time, on as many
 * connections as it may have; one that is quick gets many by one system call.
 */
#define BACKENDS_AHEAD_US     2000u
#define BACKENDS_AHEAD_MAILS  32u
#define BACKENDS_AHEAD_OCTETS (256u << 10)
/* So long after a reply what is sent ahead is not likely to meet a closed door. */
#define BACKENDS_WARM_US 100000u
/* The pace follows what is quicker at once, what is slower by such a part a mail. */
#define BACKENDS_PACE_PART 16u

struct backend;

struct connection {
	struct backend *backend;
	int fd; /* -1: none */
	bool connecting, want_write, proven;
	bool to_send;   /* it was given mails since the last push */
	bool to_review; /* something happened outside of backends_handle() */
	uint64_t connect_deadline_us, idle_since_us;
	uint64_t heard_us;  /* when something last came */
	uint64_t served_us; /* when it last finished mails, or was given the first */
	uint64_t octets;    /* of mails under way */
	struct lmtp_client client;
	void *tls; /* NULL: plain, or not yet */
	size_t out_at, out_len;
	uint8_t *out;
};

struct backend {
	char name[BACKENDS_ADDRESS_MAX];
	struct backend_address address;
	struct backend_lookup *lookup; /* NULL: there is no name to look up */
	struct connection *connections;
	unsigned max;
	struct backend_tls tls; /* open NULL: none */
	bool starttls;
	bool down;
	uint64_t backoff_us, down_until_us;
	uint32_t pace_us; /* for a mail */
};

struct backends {
	int epoll;
	int wake_fd;
	const char *hostname;
	uint64_t connect_timeout_us, reply_timeout_us, random;
	struct backends_events events;
	struct backend list[BACKENDS_MAX];
	unsigned n, turn;
	unsigned waiting;
	struct connection *filling; /* the one that was given a mail last */
	struct epoll_event ready[EVENTS_MAX];
	int n_ready;
	struct backends_counters counters;
};

/* Opens it; the backend goes down if that fails at once. */
void backends_open(struct backends *b, struct connection *c, uint64_t now_us);
void backends_close(struct backends *b, struct connection *c);
/* Sends what the client has to send, as far as the socket takes it. */
void backends_push(struct backends *b, struct connection *c, uint64_t now_us);
/* The socket has something, or has room again. */
void backends_on_event(struct backends *b, struct connection *c, uint64_t now_us);
/* Looks at where the client stands after something happened. */
void backends_review(struct backends *b, struct connection *c, uint64_t now_us);
/* TLS begins: the handshake's first words are to be sent. */
void backends_tls_start(struct connection *c);
/* What came on the wire, to the client. */
void backends_tls_input(struct connection *c, struct bytes wire, uint64_t now_us);
/* What the client sends, as it goes to the wire. */
size_t backends_tls_output(struct connection *c, uint8_t *buf, size_t cap, uint64_t now_us);
/* The connection closes. */
void backends_tls_end(struct connection *c);
/* Whether it may have one more mail now. */
bool backends_has_room(const struct connection *c);
/* Whether mails may be sent to it ahead of replies. */
bool backends_may_hurry(const struct connection *c, uint64_t now_us);
/* Mails that its backend may have on one connection. */
unsigned backends_depth(const struct backend *k);
