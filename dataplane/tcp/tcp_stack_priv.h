/* One lcore's TCP: everything that is not one connection's. */
#pragma once

#include "base/wheel.h"
#include "dataplane/tcp/tcp_conn_priv.h"
#include "dataplane/tcp/tcp_counters.h"
#include "dataplane/tcp/tcp_isn_priv.h"
#include "dataplane/tcp/tcp_reminder_priv.h"
#include "dataplane/tcp/tcp_table_priv.h"
#include "dataplane/tcp/tcp_timewait_priv.h"

#define TCP_LISTENERS_MAX 32u
/* The scale we offer: windows up to 8 MiB in steps of 128 octets, the same for every connection. */
#define TCP_RCV_WSCALE 7u
/* A peer may offer less, but then headers would outweigh payload many times over. */
#define TCP_MSS_MIN 88u

struct tcp_listener {
	uint16_t port;
	uint32_t receive_window;
};

/* When SYN cookies answer: tcp_listen.c. */
struct tcp_cookie_mode {
	bool engaged;
	bool ever_sent;
	uint64_t second;            /* the second that syns counts */
	uint32_t syns, syns_before; /* SYNs in it, and in the one before */
	uint64_t last_sent_us;
};

struct tcp_stack {
	struct tcp_config config;
	struct net *net;
	struct pkt_pool *pool;
	uint64_t now_us; /* of the last call that told */
	struct siphash_key hash_key;
	struct tcp_isn isn;
	struct tcp_table table;
	struct tcp_timewait timewait;
	struct tcp_reminder reminder;
	struct tcp_cookie_mode cookies;
	struct slab conns, send_blocks, reasms, scoreboards;
	struct tcp_conn_list ready, output, starved;
	struct tcp_listener listeners[TCP_LISTENERS_MAX];
	unsigned listener_count;
	unsigned half_open, open;
	uint64_t receive_held; /* true size of all packets held */
	bool narrow;           /* windows were narrow when last looked: tcp_pressure.c */
	uint32_t port_tries;
	struct wheel wheel;
	struct tcp_counters counters;
};

static inline void tcp_count(struct tcp_stack *stack, enum tcp_counter c)
{
	counter_inc(&stack->counters.v[c]);
}

static inline void tcp_count_n(struct tcp_stack *stack, enum tcp_counter c, uint64_t n)
{
	counter_add(&stack->counters.v[c], n);
}

/* Our timestamp clock (RFC 7323 §5.4): milliseconds, to which each connection adds its offset. */
static inline uint32_t tcp_clock_ms(uint64_t now_us)
{
	return (uint32_t)(now_us / 1000);
}

/* A segment on its way through tcp_input(). */
struct tcp_in {
	struct tcp_stack *stack;
	const struct net_segment *net;
	struct pkt *pkt; /* NULL once somebody keeps it */
	struct tcp_header h;
	struct tcp_tuple tuple;
	uint32_t hash; /* of the tuple, where no connection was found */
	uint32_t seq;  /* of `payload`; moves when its head is cut */
	uint8_t *payload;
	uint32_t len; /* octets of payload */
	uint64_t now_us;
};

/* Octets of sequence space that the segment takes. */
static inline uint32_t tcp_in_space(const struct tcp_in *in)
{
	return in->len + ((in->h.flags & TCP_SYN) ? 1 : 0) + ((in->h.flags & TCP_FIN) ? 1 : 0);
}
