#include "dataplane/lcore.h"

#include "dataplane/lcore_counters.h"
#include "dataplane/wire.h"

#include <errno.h>
#include <stdlib.h>

/* A device that took no more frames is asked again after this, though nothing else may be due. */
#define LCORE_TX_RETRY_US 200u

COUNTERS_DEFINE(lcore, LCORE_COUNTERS)

struct lcore {
	struct port *port;
	unsigned queue;
	unsigned index;
	unsigned count;
	struct lcore_mesh *mesh;
	struct lcore_counters counters;
	struct net *net;
	struct tcp_stack *tcp;
	struct capture *capture; /* NULL: none, as nearly always */
	unsigned captured;       /* frames at the head of the transmit list that are in it */
	uint64_t deadline_us;
	uint64_t retry_us; /* when the device is asked again; UINT64_MAX if it took all */
};

/* What the stack must know of the device it runs on. */
static void net_config_of(
	struct net_config *out, const struct lcore_config *config, const struct port_info *info)
{
	*out = config->net;
	out->one_of_many = config->mesh != NULL;
	out->silent = config->mesh && config->index > 0;
	memcpy(out->mac, info->mac, sizeof(out->mac));
	out->mtu = info->mtu;
	out->tx_l4_csum = info->tx_l4_csum;
	out->tx_ip4_csum = info->tx_ip4_csum;
	out->shared = info->shared;
}

int lcore_new(struct port *port, unsigned queue, const struct lcore_config *config, uint64_t now_us,
	struct lcore **out)
{
	struct lcore *l = calloc(1, sizeof(*l));
	struct net_config net_config;
	int rc;

	if (config->mesh && config->index >= config->count) {
		free(l);
		return -EINVAL;
	}
	if (!l)
		return -ENOMEM;
	l->net = calloc(1, net_size());
	if (!l->net) {
		free(l);
		return -ENOMEM;
	}
	l->port = port;
	l->queue = queue;
	l->index = config->index;
	l->count = config->count;
	l->mesh = config->mesh;
	lcore_counters_init(&l->counters);
	l->retry_us = UINT64_MAX;
	net_config_of(&net_config, config, port_get_info(port));
	net_init(l->net, &net_config, port_pool(port, queue), now_us);
	rc = tcp_stack_new(&config->tcp, l->net, port_pool(port, queue), now_us, &l->tcp);
	if (rc < 0) {
		lcore_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void lcore_free(struct lcore *lcore)
{
	if (!lcore)
		return;
	if (lcore->tcp)
		tcp_stack_free(lcore->tcp);
	net_fini(lcore->net);
	free(lcore->net);
	free(lcore);
}

struct tcp_stack *lcore_tcp(struct lcore *lcore)
{
	return lcore->tcp;
}

struct net *lcore_net(struct lcore *lcore)
{
	return lcore->net;
}

/* Hand a packet to the lcore whose flow it is; false if that is this one. */
static bool pass(struct lcore *l, unsigned owner, const struct lcore_item *item)
{
	if (owner == l->index)
		return false;
	if (lcore_mesh_pass(l->mesh, l->index, owner, item)) {
		counter_inc(&l->counters.v[LCORE_PASSED]);
		return true;
	}
	counter_inc(&l->counters.v[LCORE_RING_FULL]);
	if (item->kind == LCORE_SEGMENT)
		pkt_free(item->pkt);
	return true;
}

static bool pass_segment(struct lcore *l, struct pkt *pkt, const struct net_segment *seg)
{
	const struct lcore_item item = {LCORE_SEGMENT, pkt, {.segment = *seg}};
	const uint8_t *ports = pkt->data + pkt->l4;

	return pass(l,
		lcore_mesh_owner(
			l->mesh, &seg->src, wire_get16(ports), &seg->dst, wire_get16(ports + 2)),
		&item);
}

static bool pass_icmp(struct lcore *l, const struct net_icmp *icmp)
{
	const struct lcore_item item = {LCORE_ICMP, NULL, {.icmp = *icmp}};

	return pass(l,
		lcore_mesh_owner(
			l->mesh, &icmp->peer, icmp->peer_port, &icmp->local, icmp->local_port),
		&item);
}

static void take(struct lcore *l, struct pkt *pkt, uint64_t now_us)
{
	struct net_segment seg;
	struct net_icmp icmp;

	switch (net_input(l->net, pkt, now_us, &seg, &icmp)) {
	case NET_TCP:
		if (!l->mesh || !pass_segment(l, pkt, &seg))
			tcp_input(l->tcp, pkt, &seg, now_us);
		break;
	case NET_ICMP:
		if (!l->mesh || !pass_icmp(l, &icmp))
			tcp_icmp(l->tcp, &icmp, now_us);
		break;
	case NET_CONSUMED: break;
	}
}

/* Up to a burst of what other lcores received for this one; returns how much it was. */
static unsigned take_passed(struct lcore *l, uint64_t now_us)
{
	struct lcore_item item;
	unsigned n = 0;

	while (n < PORT_BURST && lcore_mesh_take(l->mesh, l->index, &item)) {
		n++;
		switch (item.kind) {
		case LCORE_SEGMENT: tcp_input(l->tcp, item.pkt, &item.segment, now_us); break;
		case LCORE_ICMP: tcp_icmp(l->tcp, &item.icmp, now_us); break;
		case LCORE_NEWS: net_hear(l->net, &item.news, now_us); break;
		}
	}
	counter_add(&l->counters.v[LCORE_TAKEN], n);
	return n;
}

static void tell_news(struct lcore *l)
{
	struct lcore_item item = {.kind = LCORE_NEWS};

	while (net_next_news(l->net, &item.news)) {
		for (unsigned to = 0; to < l->count; to++) {
			if (to != l->index && !lcore_mesh_pass(l->mesh, l->index, to, &item))
				counter_inc(&l->counters.v[LCORE_NEWS_LOST]);
		}
	}
}

/* Frames as they are on the wire; the first `skip` were copied before. */
static void copy_frames(
	struct lcore *l, struct pkt *const *pkts, unsigned n, unsigned skip, uint64_t now_us)
{
	if (__builtin_expect(l->capture != NULL, 0) && n > skip)
		counter_add(&l->counters.v[LCORE_CAPTURE_FULL],
			capture_add(l->capture, pkts + skip, n - skip, now_us));
}

static void run_timers(struct lcore *l, uint64_t now_us)
{
	uint64_t net_us = net_timers(l->net, now_us), tcp_us = tcp_timers(l->tcp, now_us);

	l->deadline_us = net_us < tcp_us ? net_us : tcp_us;
}

unsigned lcore_receive(struct lcore *lcore, uint64_t now_us)
{
	struct pkt *pkts[PORT_BURST];
	unsigned n = port_rx(lcore->port, lcore->queue, pkts, PORT_BURST);

	copy_frames(lcore, pkts, n, 0, now_us);
	for (unsigned i = 0; i < n; i++)
		take(lcore, pkts[i], now_us);
	if (lcore->mesh) {
		tell_news(lcore);
		lcore_mesh_ring(lcore->mesh, lcore->index);
		n += take_passed(lcore, now_us);
	}
	run_timers(lcore, now_us);
	return n;
}

unsigned lcore_send(struct lcore *lcore, uint64_t now_us)
{
	struct pkt *pkts[PORT_BURST];
	unsigned n, sent, total = 0;

	tcp_flush(lcore->tcp, now_us);
	run_timers(lcore, now_us); /* what the consumer did may have set some */
	lcore->retry_us = UINT64_MAX;
	while ((n = net_take_tx(lcore->net, pkts, PORT_BURST))) {
		copy_frames(lcore, pkts, n, lcore->captured, now_us);
		sent = port_tx(lcore->port, lcore->queue, pkts, n);
		lcore->captured = n - sent;
		total += sent;
		if (sent < n) {
			net_untake_tx(lcore->net, pkts + sent, n - sent);
			lcore->retry_us = now_us + LCORE_TX_RETRY_US;
			counter_inc(&lcore->counters.v[LCORE_TX_BUSY]);
			break;
		}
	}
	return total;
}

void lcore_set_capture(struct lcore *lcore, struct capture *capture)
{
	lcore->capture = capture;
}

uint64_t lcore_next_deadline_us(const struct lcore *lcore)
{
	return lcore->retry_us < lcore->deadline_us ? lcore->retry_us : lcore->deadline_us;
}

bool lcore_has_work(const struct lcore *lcore)
{
	return lcore->mesh && lcore_mesh_waiting(lcore->mesh, lcore->index);
}

const struct counter_block *lcore_counters(const struct lcore *lcore)
{
	return &lcore->counters.block;
}
