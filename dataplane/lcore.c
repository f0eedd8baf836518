#include "dataplane/lcore.h"

#include <errno.h>
#include <stdlib.h>

/* A device that took no more frames is asked again after this, though nothing else may be due. */
#define LCORE_TX_RETRY_US 200u

struct lcore {
	struct port *port;
	unsigned queue;
	struct net *net;
	struct tcp_stack *tcp;
	uint64_t deadline_us;
	uint64_t retry_us; /* when the device is asked again; UINT64_MAX if it took all */
};

/* What the stack must know of the device it runs on. */
static void net_config_of(
	struct net_config *out, const struct net_config *config, const struct port_info *info)
{
	*out = *config;
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

	if (!l)
		return -ENOMEM;
	l->net = calloc(1, net_size());
	if (!l->net) {
		free(l);
		return -ENOMEM;
	}
	l->port = port;
	l->queue = queue;
	l->retry_us = UINT64_MAX;
	net_config_of(&net_config, &config->net, port_get_info(port));
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

static void take(struct lcore *l, struct pkt *pkt, uint64_t now_us)
{
	struct net_segment seg;
	struct net_icmp icmp;

	switch (net_input(l->net, pkt, now_us, &seg, &icmp)) {
	case NET_TCP: tcp_input(l->tcp, pkt, &seg, now_us); break;
	case NET_ICMP: tcp_icmp(l->tcp, &icmp, now_us); break;
	case NET_CONSUMED: break;
	}
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

	for (unsigned i = 0; i < n; i++)
		take(lcore, pkts[i], now_us);
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
		sent = port_tx(lcore->port, lcore->queue, pkts, n);
		total += sent;
		if (sent < n) {
			net_untake_tx(lcore->net, pkts + sent, n - sent);
			lcore->retry_us = now_us + LCORE_TX_RETRY_US;
			break;
		}
	}
	return total;
}

uint64_t lcore_next_deadline_us(const struct lcore *lcore)
{
	return lcore->retry_us < lcore->deadline_us ? lcore->retry_us : lcore->deadline_us;
}
