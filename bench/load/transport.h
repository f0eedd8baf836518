/*
 * What the generator sees of the network: connections that it opens, with events, behind a table of
 * functions. There are two: kernel sockets (any SMTP server), and our own TCP on a device.
 */
#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"
#include "bench/load/load_options.h"

/* Why a connection, or what was done on it, failed: name, what it is called, what to do about it.
 */
#define LOAD_ERRORS(X)                                                                             \
	X(LOAD_REFUSED, "connection refused", "nothing listens there, or the server is full")      \
	X(LOAD_UNREACHABLE, "unreachable", "no route, or the address answers no ARP or NDP")       \
	X(LOAD_CONNECT_TIMEOUT, "connecting timed out", "a full backlog, a firewall, or no host")  \
	X(LOAD_RESET, "connection reset", "the server gave the connection up; see its log")        \
	X(LOAD_CLOSED, "closed by the server", "without 421; it may have crashed; see its log")    \
	X(LOAD_TIMEOUT, "reply timed out", "the server is stuck or overloaded; see --timeout")     \
	X(LOAD_NOT_SMTP, "not SMTP", "what came is not what an SMTP server says at that point")    \
	X(LOAD_NOT_GREETED, "greeting refused", "see the replies by code")                         \
	X(LOAD_NO_PORT, "no local port free", "more --source addresses, or fewer connections")     \
	X(LOAD_NO_MEMORY, "no memory or descriptors", "fewer connections, or raise 'ulimit -n'")

enum load_error {
#define X(id, text, advice) id,
	LOAD_ERRORS(X)
#undef X
		LOAD_ERROR_COUNT
};

const char *load_error_text(enum load_error error);
const char *load_error_advice(enum load_error error);

enum transport_what {
	TRANSPORT_OPENED = 1 << 0,
	TRANSPORT_READABLE = 1 << 1, /* octets, or the end: receive until there is no more */
	TRANSPORT_WRITABLE = 1 << 2,
	TRANSPORT_FAILED = 1 << 3, /* only abort() is left; error says why */
};

struct transport_event {
	void *user;
	unsigned what; /* enum transport_what */
	enum load_error error;
};

#define TRANSPORT_AGAIN 0  /* nothing to receive now */
#define TRANSPORT_END   -1 /* the peer has closed, after all that was received */
#define TRANSPORT_LOST  -2 /* reset */

struct transport;

typedef void (*transport_counter_fn)(void *arg, const char *name, uint64_t value);

struct transport_ops {
	/* 0, or enum load_error below zero minus one: see transport_failed(). */
	int (*connect)(struct transport *t, void *user, uint64_t now_us, void **conn);
	/*
	 * Looks at the network, waiting for it until `deadline_us` at most where nothing is to be
	 * done; then next() gives what happened.
	 */
	void (*poll)(struct transport *t, uint64_t now_us, uint64_t deadline_us);
	bool (*next)(struct transport *t, struct transport_event *event);
	/* Octets received, or one of TRANSPORT_AGAIN, _END, _LOST. */
	long (*receive)(struct transport *t, void *conn, void *buf, size_t cap);
	/* How many were taken; if not all, WRITABLE comes. */
	size_t (*send)(struct transport *t, void *conn, struct bytes octets);
	void (*close)(struct transport *t, void *conn); /* the handle is gone */
	void (*abort)(struct transport *t, void *conn); /* by RST; the handle is gone */
	/* Let out what waits; at the end of a round. */
	void (*flush)(struct transport *t, uint64_t now_us);
	/* Sends up to `n` SYNs from random addresses of a network; how many went. */
	unsigned (*flood)(struct transport *t, unsigned n, uint64_t now_us);
	/* Answers to addresses that the flood invented, as far as they came back here. */
	uint64_t (*flood_answers)(const struct transport *t);
	/* Counters of its own that are not zero, for the report. */
	void (*counters)(const struct transport *t, transport_counter_fn fn, void *arg);
	void (*free)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
};

/* A failure of connect() as its return value and back. */
#define TRANSPORT_FAIL(error)  (-1 - (int)(error))
#define TRANSPORT_ERROR_OF(rc) ((enum load_error)(-1 - (rc)))

/* 0 or -errno with the reason in `why`. `options` outlives it. */
int transport_kernel_new(
	const struct load_options *options, struct transport **out, struct text *why);
int transport_stack_new(
	const struct load_options *options, struct transport **out, struct text *why);
