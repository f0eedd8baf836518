/* The kernel's sockets from inside: listeners, connections, and the look at both. */
#pragma once

#include "base/slab.h"
#include "dataplane/kernel/kernel_counters.h"
#include "dataplane/kernel/kernel_port.h"

#include <sys/queue.h>

#define KERNEL_MAX_LISTENERS 16
/* Received and not yet consumed, for one connection. */
#define KERNEL_RECEIVE_OCTETS 16384

enum {
	KERNEL_CONN_EOF = 1 << 0,     /* the peer's FIN was read */
	KERNEL_CONN_FULL = 1 << 1,    /* something may be left in the socket */
	KERNEL_CONN_LINGER = 1 << 2,  /* closed by its user */
	KERNEL_CONN_QUEUED = 1 << 3,  /* in the list of ready ones */
	KERNEL_CONN_BLOCKED = 1 << 4, /* a send took less than asked */
};

struct kernel_conn {
	struct kernel_port *port;
	TAILQ_ENTRY(kernel_conn) ready_link, linger_link;
	void *user;
	uint8_t *received; /* KERNEL_RECEIVE_OCTETS; NULL while nothing is received */
	uint32_t from, len;
	uint32_t ready; /* enum tcp_ready */
	int fd;
	uint8_t flags;
	struct ip_addr peer;
	uint16_t peer_port;
	uint64_t linger_until_us;
};

struct kernel_listener {
	int fd;
};

struct kernel_port {
	int epoll;
	struct slab conns, buffers;
	TAILQ_HEAD(, kernel_conn) ready, linger;
	struct kernel_listener listeners[KERNEL_MAX_LISTENERS];
	unsigned n_listeners;
	uint64_t deaf_until_us; /* no listener is looked at before; 0: all are */
	uint64_t now_us;
	struct kernel_counters counters;
};

enum kernel_accept {
	KERNEL_ACCEPT_ONE,
	KERNEL_ACCEPT_NONE,
	KERNEL_ACCEPT_SHORT, /* one waits, and there is no descriptor or memory for it */
};

/* Takes one connection that waits. */
enum kernel_accept kernel_conn_accept(struct kernel_port *port, int listener);
/* Look at the listeners, or at none. */
void kernel_listen_hear(struct kernel_port *port, bool hear);
void kernel_conn_free(struct kernel_conn *conn);
void kernel_conn_add_ready(struct kernel_conn *conn, unsigned what);
/* What there is to receive, as far as the buffer goes. */
void kernel_conn_receive(struct kernel_conn *conn);
/* What a peer still says after our FIN; its end is the connection's. */
void kernel_conn_discard(struct kernel_conn *conn);
