/*
 * For tests: two stacks joined by a wire of virtual time that loses, repeats, swaps and spoils
 * segments by a seed. Packets are malloc'd to their exact size, so that AddressSanitizer sees every
 * octet too far. Stands in for dataplane/net, whose functions it defines.
 */
#pragma once

#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/tcp_stack_priv.h"

#define MOCK_WIRE_LIMIT 4096u /* segments under way; more are lost */

/* What the wire does, in thousandths of the segments where not said otherwise. */
struct mock_faults {
	unsigned lose, repeat, swap, spoil;
	uint32_t delay_us, jitter_us;
};

struct mock_wire;

/* Called for each segment that leaves `side`; false drops it. */
typedef bool (*mock_filter_fn)(void *arg, unsigned side, const struct tcp_header *h, uint32_t len);

struct net {
	struct mock_wire *wire;
	unsigned side;
	struct ip_addr addr;
	uint16_t mss;
	int cannot_open; /* what net_can_open() says */
	bool crowded;    /* what net_tx_crowded() says */
	uint64_t sent;
};

struct mock_flight {
	uint64_t at_us, order;
	unsigned to;
	struct pkt *pkt;
};

struct mock_wire {
	uint64_t now_us;
	uint64_t random;
	uint64_t order;
	struct net nets[2];
	struct tcp_stack *stacks[2];
	struct pkt_pool pool;
	unsigned packets_out; /* not yet freed */
	uint64_t spoiled;     /* dropped for their checksum */
	bool pool_empty;
	struct mock_faults faults;
	mock_filter_fn filter;
	void *filter_arg;
	struct mock_flight *flights; /* a heap */
	unsigned flight_count;
};

struct tcp_config mock_config(void);
/* `a` NULL: only side 1 has a stack, and the test plays the other. */
void mock_wire_init(struct mock_wire *w, uint64_t seed, const struct tcp_config *a,
	const struct tcp_config *b, bool v6);
/* Ends both stacks; true if every packet came back. */
bool mock_wire_fini(struct mock_wire *w);
/* Goes to the next thing that happens (a segment arriving, a timer); false if that is after
 * `until_us`. */
bool mock_wire_step(struct mock_wire *w, uint64_t until_us);
/* Lets time pass with nobody consuming. */
void mock_wire_run(struct mock_wire *w, uint64_t us);
uint64_t mock_random(struct mock_wire *w);
/* The counter's value on a side. */
uint64_t mock_count(const struct mock_wire *w, unsigned side, enum tcp_counter c);

/* A received packet whose TCP header and payload are these; checksum filled. */
struct pkt *mock_packet(
	struct mock_wire *w, unsigned to, struct tcp_header *h, const void *payload, uint32_t len);
/* Puts a segment into side `to` at once, as if the other side had sent it. */
void mock_inject(
	struct mock_wire *w, unsigned to, struct tcp_header *h, const void *payload, uint32_t len);
/* The one connection of a side, straight out of its table; NULL if there is none. */
struct tcp_conn *mock_only_conn(struct mock_wire *w, unsigned side);
