#include "dataplane/tcp/tcp_mock_wire.h"

#include "dataplane/port/checksum.h"
#include "dataplane/tcp/tcp_wire.h"
#include "dataplane/wire.h"

#include <assert.h>
#include <stdlib.h>

#define HEADERS_LEN 34u /* Ethernet and IPv4, whose content nobody looks at */
#define DATA_ROOM   2048u
#define TX_ROOM     (PKT_TX_HEADROOM + 9000u)

uint64_t mock_random(struct mock_wire *w)
{
	uint64_t z = (w->random += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool chance(struct mock_wire *w, unsigned permille)
{
	return permille > 0 && mock_random(w) % 1000 < permille;
}

/* --- packets --- */

struct mock_pkt {
	struct pkt pkt;
	uint8_t *buffer;
};

static void pool_free(struct pkt_pool *pool, struct pkt *pkt)
{
	struct mock_wire *w = WHEEL_OWNER(pool, struct mock_wire, pool);
	struct mock_pkt *m = WHEEL_OWNER(pkt, struct mock_pkt, pkt);

	assert(w->packets_out > 0);
	w->packets_out--;
	free(m->buffer);
	free(m);
}

static struct pkt *new_pkt(struct mock_wire *w, size_t headroom, size_t len, size_t tailroom)
{
	struct mock_pkt *m = calloc(1, sizeof(*m));

	m->buffer = malloc(headroom + len + tailroom);
	m->pkt.pool = &w->pool;
	m->pkt.data = m->buffer + headroom;
	m->pkt.len = (uint16_t)len;
	m->pkt.headroom = (uint16_t)headroom;
	m->pkt.tailroom = (uint16_t)tailroom;
	m->pkt.true_size = DATA_ROOM + 256;
	w->packets_out++;
	return &m->pkt;
}

static struct pkt *pool_alloc(struct pkt_pool *pool)
{
	struct mock_wire *w = WHEEL_OWNER(pool, struct mock_wire, pool);

	return w->pool_empty ? NULL : new_pkt(w, PKT_TX_HEADROOM, 0, TX_ROOM - PKT_TX_HEADROOM);
}

static uint16_t sum_of(
	const struct ip_addr *src, const struct ip_addr *dst, const uint8_t *data, size_t len)
{
	uint64_t sum = checksum_pseudo(src, dst, IP_PROTO_TCP, (uint16_t)len);

	return checksum_finish(checksum_add(sum, data, len));
}

static void fill_checksum(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t *data, size_t len)
{
	checksum_store(data + TCP_CHECKSUM_AT, 0);
	checksum_store(data + TCP_CHECKSUM_AT, sum_of(src, dst, data, len));
}

static struct pkt *received(struct mock_wire *w, const uint8_t *segment, size_t len)
{
	size_t tail = len < DATA_ROOM ? DATA_ROOM - len : 0;
	struct pkt *pkt = new_pkt(w, 0, HEADERS_LEN + len, tail);

	memcpy(pkt->data + HEADERS_LEN, segment, len);
	pkt->l4 = HEADERS_LEN;
	return pkt;
}

struct pkt *mock_packet(
	struct mock_wire *w, unsigned to, struct tcp_header *h, const void *payload, uint32_t len)
{
	uint8_t *segment = malloc(TCP_WIRE_HEADER_MAX + len);
	unsigned head = tcp_wire_write(segment, h);
	struct pkt *pkt;

	if (len > 0)
		memcpy(segment + head, payload, len);
	fill_checksum(&w->nets[!to].addr, &w->nets[to].addr, segment, head + len);
	pkt = received(w, segment, head + len);
	free(segment);
	return pkt;
}

/* --- the wire --- */

static bool before(const struct mock_flight *a, const struct mock_flight *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap_flights(struct mock_wire *w, unsigned i, unsigned k)
{
	struct mock_flight f = w->flights[i];

	w->flights[i] = w->flights[k];
	w->flights[k] = f;
}

static void push(struct mock_wire *w, struct pkt *pkt, unsigned to, uint64_t at_us)
{
	unsigned i = w->flight_count;

	if (i == MOCK_WIRE_LIMIT) {
		pkt_free(pkt);
		return;
	}
	w->flights[i] = (struct mock_flight){at_us, w->order++, to, pkt};
	w->flight_count++;
	for (; i > 0 && before(&w->flights[i], &w->flights[(i - 1) / 2]); i = (i - 1) / 2)
		swap_flights(w, i, (i - 1) / 2);
}

static struct mock_flight pop(struct mock_wire *w)
{
	struct mock_flight top = w->flights[0];
	unsigned i = 0;

	w->flights[0] = w->flights[--w->flight_count];
	for (;;) {
		unsigned least = i, left = 2 * i + 1;

		for (unsigned k = left; k < left + 2 && k < w->flight_count; k++)
			if (before(&w->flights[k], &w->flights[least]))
				least = k;
		if (least == i)
			return top;
		swap_flights(w, i, least);
		i = least;
	}
}

static void travel(struct mock_wire *w, unsigned to, const uint8_t *segment, size_t len)
{
	const struct mock_faults *f = &w->faults;
	struct pkt *pkt = received(w, segment, len);
	uint64_t at = w->now_us + f->delay_us;

	if (f->jitter_us > 0)
		at += mock_random(w) % f->jitter_us;
	if (chance(w, f->swap))
		at += f->delay_us / 2 + 1000;
	if (chance(w, f->spoil))
		pkt->data[HEADERS_LEN + mock_random(w) % len] ^= (uint8_t)(1 << mock_random(w) % 8);
	push(w, pkt, to, at);
}

void net_output(struct net *net, struct pkt *pkt, const struct net_route *route, uint64_t now_us)
{
	struct mock_wire *w = net->wire;
	struct tcp_header h;
	int bad = tcp_wire_parse(pkt->data, pkt->len, &h);

	assert(!bad);
	assert(now_us == w->now_us);
	net->sent++;
	fill_checksum(&route->local, &route->peer, pkt->data, pkt->len);
	if ((!w->filter || w->filter(w->filter_arg, net->side, &h, pkt->len - h.len)) &&
		!chance(w, w->faults.lose)) {
		travel(w, !net->side, pkt->data, pkt->len);
		if (chance(w, w->faults.repeat))
			travel(w, !net->side, pkt->data, pkt->len);
	}
	pkt_free(pkt);
}

uint16_t net_mss(const struct net *net, const struct ip_addr *peer)
{
	(void)peer;
	return net->mss;
}

bool net_tx_crowded(const struct net *net)
{
	return net->crowded;
}

int net_can_open(const struct net *net, const struct ip_addr *peer)
{
	(void)peer;
	return net->cannot_open;
}

bool net_source_for(const struct net *net, const struct ip_addr *peer, struct ip_addr *local)
{
	*local = net->addr;
	return ip_addr_is_v4(peer) == ip_addr_is_v4(local);
}

static void deliver(struct mock_wire *w, unsigned to, struct pkt *pkt)
{
	struct net_segment seg = {.src = w->nets[!to].addr, .dst = w->nets[to].addr};

	seg.src_mac[5] = (uint8_t)(!to + 1);
	if (sum_of(&seg.src, &seg.dst, pkt->data + pkt->l4, (size_t)(pkt->len - pkt->l4)) != 0) {
		w->spoiled++; /* as net_input() does */
		pkt_free(pkt);
		return;
	}
	tcp_input(w->stacks[to], pkt, &seg, w->now_us);
}

void mock_inject(
	struct mock_wire *w, unsigned to, struct tcp_header *h, const void *payload, uint32_t len)
{
	deliver(w, to, mock_packet(w, to, h, payload, len));
	tcp_flush(w->stacks[to], w->now_us);
}

/* --- time --- */

bool mock_wire_step(struct mock_wire *w, uint64_t until_us)
{
	uint64_t next = w->flight_count > 0 ? w->flights[0].at_us : UINT64_MAX;

	for (unsigned side = 0; side < 2; side++) {
		uint64_t at;

		if (!w->stacks[side])
			continue;
		tcp_flush(w->stacks[side], w->now_us);
		at = tcp_timers(w->stacks[side], w->now_us);
		if (at < next)
			next = at;
	}
	/* Flushing and timers may have put something on the wire. */
	if (w->flight_count > 0 && w->flights[0].at_us < next)
		next = w->flights[0].at_us;
	if (next > until_us)
		return false;
	if (next > w->now_us)
		w->now_us = next;
	for (unsigned side = 0; side < 2; side++)
		if (w->stacks[side])
			tcp_timers(w->stacks[side], w->now_us);
	while (w->flight_count > 0 && w->flights[0].at_us <= w->now_us) {
		struct mock_flight f = pop(w);

		deliver(w, f.to, f.pkt);
	}
	return true;
}

void mock_wire_run(struct mock_wire *w, uint64_t us)
{
	uint64_t until = w->now_us + us;

	while (mock_wire_step(w, until))
		;
	w->now_us = until;
}

/* --- making it --- */

struct tcp_config mock_config(void)
{
	return (struct tcp_config){.max_connections = 1024,
		.max_half_open = 64,
		.max_time_wait = 64,
		.send_block_count = 4096,
		.receive_bytes_max = 8u << 20,
		.send_buffer_max = 256u << 10,
		.linger_bytes = 64u << 10,
		.linger_ms = 2000,
		.keepalive_s = 0,
		.secret = {1, 2, 3, 4},
		.seed = 7};
}

void mock_wire_init(struct mock_wire *w, uint64_t seed, const struct tcp_config *a,
	const struct tcp_config *b, bool v6)
{
	const struct tcp_config *configs[2] = {a, b};

	*w = (struct mock_wire){.random = seed, .now_us = 1000000000};
	w->faults.delay_us = 10000;
	w->pool = (struct pkt_pool){pool_alloc, pool_free};
	w->flights = calloc(MOCK_WIRE_LIMIT, sizeof(w->flights[0]));
	for (unsigned side = 0; side < 2; side++) {
		struct net *net = &w->nets[side];
		uint8_t octets[16] = {0x20, 0x01, 0x0d, 0xb8};
		int err;

		octets[15] = (uint8_t)(side + 1);
		net->wire = w;
		net->side = side;
		net->mss = v6 ? 1440 : 1460;
		net->addr = v6 ? ip_addr_v6(octets) : ip_addr_v4(0xc0000201 + side);
		if (!configs[side])
			continue;
		err = tcp_stack_new(configs[side], net, &w->pool, w->now_us, &w->stacks[side]);
		assert(!err);
	}
}

bool mock_wire_fini(struct mock_wire *w)
{
	for (unsigned side = 0; side < 2; side++)
		tcp_stack_free(w->stacks[side]);
	while (w->flight_count > 0)
		pkt_free(pop(w).pkt);
	free(w->flights);
	return w->packets_out == 0;
}

uint64_t mock_count(const struct mock_wire *w, unsigned side, enum tcp_counter c)
{
	return counter_get(&w->stacks[side]->counters.v[c]);
}

struct tcp_conn *mock_only_conn(struct mock_wire *w, unsigned side)
{
	struct tcp_table *t = &w->stacks[side]->table;

	for (uint32_t i = 0; i <= t->mask; i++)
		if (t->buckets[i])
			return t->buckets[i];
	return NULL;
}
