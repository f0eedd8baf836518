#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"
#include "dataplane/net/net.h"
#include "dataplane/pkt.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * TCP as one sans-I/O stack per lcore (RFC 9293). Segments and a time go in by tcp_input() and
 * tcp_timers(); segments leave through net_output(); what a consumer should look at comes
 * out of tcp_next_ready(). A consumer then peeks and consumes received bytes, queues bytes to send,
 * shuts down, closes or aborts. Nothing calls back into the consumer.
 *
 * Received bytes stay in the packets they came in until consumed; the receive window follows what
 * the consumer has consumed. Bytes to send are copied into blocks taken on demand.
 */

struct tcp_stack;
struct tcp_conn;

/* Octets that an open connection takes at most while nothing is under way: its block and its place
 * in the table. */
#define TCP_CONNECTION_OCTETS 480
/* A block of bytes to send: what is queued on a connection takes one at least. */
#define TCP_SEND_BLOCK_OCTETS 1024

struct tcp_config {
	unsigned max_connections;
	unsigned max_half_open; /* above it SYN cookies answer */
	unsigned max_time_wait;
	uint32_t send_block_count;  /* blocks shared by all connections for bytes not yet acked */
	uint32_t receive_bytes_max; /* true size of all packets held, over all connections */
	uint32_t send_buffer_max;   /* per connection */
	uint32_t linger_bytes;      /* read and thrown away after our FIN before RST */
	uint32_t linger_ms;
	uint32_t keepalive_s; /* 0: none */
	uint8_t secret[16];   /* ISN and cookies, common to all lcores (RFC 6528) */
	uint64_t seed;        /* for ephemeral ports and jitter */
	bool scripted;        /* for conformance tests alone: tcp_set_next_isn() works */
};

/* What has happened to a connection since it was last taken; several at once. */
enum tcp_ready {
	TCP_READY_OPENED = 1 << 0,    /* established (passive or active) */
	TCP_READY_READABLE = 1 << 1,  /* bytes to peek */
	TCP_READY_WRITABLE = 1 << 2,  /* room again after tcp_send() had taken less than asked */
	TCP_READY_PEER_SHUT = 1 << 3, /* the peer's FIN, after all bytes before it */
	TCP_READY_SENT = 1 << 4,      /* all that was sent is acknowledged */
	TCP_READY_FAILED =
		1
		<< 5, /* reset, timed out or refused: see tcp_error(); only tcp_release() is left */
	TCP_READY_CLOSED = 1 << 6, /* closed in good order: only tcp_release() is left */
};

enum tcp_failure {
	TCP_FAIL_NONE,
	TCP_FAIL_RESET,   /* by the peer */
	TCP_FAIL_TIMEOUT, /* retransmission, persist or keepalive given up */
	TCP_FAIL_REFUSED, /* active open answered by RST or ICMP */
	TCP_FAIL_LINGER, /* the peer went on sending after our FIN past linger_bytes or linger_ms */
	TCP_FAIL_MEMORY,
};

/*
 * How short the memory for received packets is. The steps come in this order as it fills up, each
 * together with those before it: what costs the peers least is given up first.
 */
enum tcp_pressure {
	TCP_PRESSURE_NONE,
	TCP_PRESSURE_NARROW, /* windows have shrunk to a segment */
	TCP_PRESSURE_BUSY,   /* the consumer is to begin nothing new */
	TCP_PRESSURE_SHED,   /* it is to close what is idle */
	TCP_PRESSURE_SHUT,   /* SYNs are ignored */
};

/* 0 or -errno (-ENOMEM). `net` must outlive the stack. */
int tcp_stack_new(const struct tcp_config *config, struct net *net, struct pkt_pool *pool,
	uint64_t now_us, struct tcp_stack **out);
void tcp_stack_free(struct tcp_stack *stack);

/* 0, -EADDRINUSE, -ENOSPC (32 ports). `receive_window` is the first window of accepted connections.
 */
int tcp_listen(struct tcp_stack *stack, uint16_t port, uint32_t receive_window);
/* Take no new connections on a port; those open go on. */
void tcp_unlisten(struct tcp_stack *stack, uint16_t port);
/* Start an active open; the outcome comes as OPENED or FAILED. 0, -ENOMEM, -EADDRNOTAVAIL (no port
 * left), -EINVAL (port 0), or what net_can_open() says. */
int tcp_connect(struct tcp_stack *stack, const struct ip_addr *peer, uint16_t port,
	uint32_t receive_window, uint64_t now_us, struct tcp_conn **out);
/* The same from one of our addresses, which the caller chose. */
int tcp_connect_from(struct tcp_stack *stack, const struct ip_addr *local,
	const struct ip_addr *peer, uint16_t port, uint32_t receive_window, uint64_t now_us,
	struct tcp_conn **out);

/*
 * The next connection, accepted (but not by a cookie, which is its own number) or opened, begins at
 * `isn`. 0; -EPERM unless the configuration says `scripted`.
 */
int tcp_set_next_isn(struct tcp_stack *stack, uint32_t isn);

/* A segment that net_input() called NET_TCP; the stack owns the packet from here on. */
void tcp_input(
	struct tcp_stack *stack, struct pkt *pkt, const struct net_segment *seg, uint64_t now_us);
void tcp_icmp(struct tcp_stack *stack, const struct net_icmp *icmp, uint64_t now_us);
/* Run what is due; returns the next deadline, UINT64_MAX if none. */
uint64_t tcp_timers(struct tcp_stack *stack, uint64_t now_us);
/* Send what may be sent now: data, window updates, delayed ACKs due. Call once at the end of a poll
 * round. */
void tcp_flush(struct tcp_stack *stack, uint64_t now_us);

/* The next connection something happened to, with what (enum tcp_ready); NULL when there is none.
 */
struct tcp_conn *tcp_next_ready(struct tcp_stack *stack, unsigned *ready);

/*
 * The first run of received bytes not yet consumed (it lies in packet memory and is good until
 * consumed); empty when there is none. tcp_consume() takes n octets away and opens the window by as
 * many.
 */
struct bytes tcp_peek(const struct tcp_conn *conn);
void tcp_consume(struct tcp_conn *conn, uint32_t n);

/*
 * Let the receive window be up to `octets` (4 KiB before 354, larger in DATA); never takes back
 * what was offered.
 */
void tcp_set_receive_window(struct tcp_conn *conn, uint32_t octets);

/* Queue bytes; returns how many were taken (0 when the buffers are full: WRITABLE comes later). */
uint32_t tcp_send(struct tcp_conn *conn, struct bytes bytes);
/* Octets queued and not yet acknowledged. */
uint32_t tcp_unacked(const struct tcp_conn *conn);

/* Send FIN after what is queued; the other direction goes on. */
void tcp_shutdown(struct tcp_conn *conn);
/*
 * The consumer is done with it: FIN after what is queued, then read and throw away up to the linger
 * limits so that the last reply survives, then RST (DESIGN §5). The handle must not be used any
 * more.
 */
void tcp_close(struct tcp_conn *conn);
/* RST at once. The handle must not be used any more. */
void tcp_abort(struct tcp_conn *conn);
/* After FAILED or CLOSED: give the handle back. */
void tcp_release(struct tcp_conn *conn);

/* The name of its state in RFC 9293 §3.3.2. */
const char *tcp_state_of(const struct tcp_conn *conn);
/* Octets received and not yet consumed. */
uint32_t tcp_unread(const struct tcp_conn *conn);
enum tcp_failure tcp_error(const struct tcp_conn *conn);
void tcp_peer(const struct tcp_conn *conn, struct ip_addr *addr, uint16_t *port);
void tcp_local(const struct tcp_conn *conn, struct ip_addr *addr, uint16_t *port);

/* One pointer and one number for the consumer's use. */
void tcp_set_user(struct tcp_conn *conn, void *user);
void *tcp_user(const struct tcp_conn *conn);

enum tcp_pressure tcp_pressure(const struct tcp_stack *stack);
unsigned tcp_open_connections(const struct tcp_stack *stack);
struct counter_block;
const struct counter_block *tcp_counters(const struct tcp_stack *stack);
