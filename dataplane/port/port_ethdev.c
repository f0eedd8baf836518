#include "dataplane/port/port_ethdev_priv.h"

#include <stdlib.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

_Static_assert(RTE_PKTMBUF_HEADROOM >= PKT_TX_HEADROOM, "headers fit before what TCP writes");

/* Empty polls in a row after which a memif client looks whether its server is back. */
#define RELINK_POLLS 1024

static inline struct port_ethdev *ethdev_of(struct port *port)
{
	return (struct port_ethdev *)port;
}

/* struct pkt is the mbuf's private area, which lies right behind the mbuf's own header. */
static inline struct rte_mbuf *mbuf_of(struct pkt *pkt)
{
	return (struct rte_mbuf *)((char *)pkt - sizeof(struct rte_mbuf));
}

static inline struct pkt *pkt_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static struct pkt *pool_alloc(struct pkt_pool *pool)
{
	struct port_ethdev *p = RTE_PTR_SUB(pool, offsetof(struct port_ethdev, pool));
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->mempool);
	struct pkt *pkt;

	if (unlikely(!m))
		return NULL;
	pkt = pkt_of(m);
	*pkt = (struct pkt){
		.pool = pool,
		.data = rte_pktmbuf_mtod(m, uint8_t *),
		.headroom = m->data_off,
		.tailroom = (uint16_t)(m->buf_len - m->data_off),
		.true_size = p->true_size,
	};
	return pkt;
}

static void pool_free(struct pkt_pool *pool, struct pkt *pkt)
{
	(void)pool;
	rte_pktmbuf_free(mbuf_of(pkt));
}

const struct pkt_pool port_ethdev_pool = {pool_alloc, pool_free};

static inline uint16_t rx_flags(uint64_t ol_flags)
{
	switch (ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD: return PKT_RX_L4_GOOD;
	case RTE_MBUF_F_RX_L4_CKSUM_BAD: return PKT_RX_L4_BAD;
	default: return 0;
	}
}

static inline void pkt_received(struct port_ethdev *p, struct rte_mbuf *m, struct pkt *pkt)
{
	*pkt = (struct pkt){
		.pool = &p->pool,
		.data = rte_pktmbuf_mtod(m, uint8_t *),
		.len = m->data_len,
		.headroom = m->data_off,
		.tailroom = (uint16_t)(m->buf_len - m->data_off - m->data_len),
		.flags = rx_flags(m->ol_flags),
		.rss = m->ol_flags & RTE_MBUF_F_RX_RSS_HASH ? m->hash.rss : 0,
		.true_size = p->true_size,
	};
}

static void look_at_link(struct ethdev_queue *q)
{
	struct rte_eth_link link;

	q->empty_polls = 0;
	(void)rte_eth_link_get_nowait(q->dev, &link);
}

static unsigned ethdev_rx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n)
{
	struct port_ethdev *p = ethdev_of(port);
	struct ethdev_queue *q = &p->queues[queue];
	struct rte_mbuf *mbufs[PORT_BURST];
	unsigned got, kept = 0;

	if (q->deaf)
		return 0;
	if (p->tap_trigger)
		p->tap_trigger(0);
	got = rte_eth_rx_burst(q->dev, q->queue, mbufs, (uint16_t)RTE_MIN(n, PORT_BURST));
	if (p->relink && got == 0 && ++q->empty_polls == RELINK_POLLS)
		look_at_link(q);
	for (unsigned i = 0; i < got; i++) {
		if (unlikely(mbufs[i]->nb_segs > 1)) { /* larger than the MTU we told everybody */
			q->rx_chained++;
			rte_pktmbuf_free(mbufs[i]);
			continue;
		}
		pkts[kept] = pkt_of(mbufs[i]);
		pkt_received(p, mbufs[i], pkts[kept]);
		kept++;
	}
	return kept;
}

static inline void mark_checksums(struct rte_mbuf *m, const struct pkt *pkt)
{
	bool v4 = pkt->data[pkt->l3] >> 4 == 4;

	m->l2_len = pkt->l3;
	m->l3_len = (uint64_t)(pkt->l4 - pkt->l3) & 0x1ff;
	m->ol_flags |= v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	if (pkt->flags & PKT_TX_IP4_CSUM)
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (pkt->flags & PKT_TX_L4_CSUM)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
}

/* Nobody waits: who finds another lcore sending has frames that the device did not take. */
static unsigned send_in_turn(
	struct port_ethdev *p, const struct ethdev_queue *q, struct rte_mbuf **mbufs, uint16_t n)
{
	if (atomic_flag_test_and_set_explicit(&p->sending, memory_order_acquire))
		return 0;
	n = rte_eth_tx_burst(q->dev, q->queue, mbufs, n);
	atomic_flag_clear_explicit(&p->sending, memory_order_release);
	return n;
}

static unsigned ethdev_tx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n)
{
	struct port_ethdev *p = ethdev_of(port);
	struct ethdev_queue *q = &p->queues[queue];
	struct rte_mbuf *mbufs[PORT_BURST];

	n = RTE_MIN(n, PORT_BURST);
	for (unsigned i = 0; i < n; i++) {
		struct pkt *pkt = pkts[i];
		struct rte_mbuf *m = mbuf_of(pkt);

		m->data_off = (uint16_t)(pkt->data - (uint8_t *)m->buf_addr);
		m->data_len = pkt->len;
		m->pkt_len = pkt->len;
		m->ol_flags = 0;
		if (pkt->flags & (PKT_TX_L4_CSUM | PKT_TX_IP4_CSUM))
			mark_checksums(m, pkt);
		mbufs[i] = m;
	}
	return p->one_queue ? send_in_turn(p, q, mbufs, (uint16_t)n)
			    : rte_eth_tx_burst(q->dev, q->queue, mbufs, (uint16_t)n);
}

static struct pkt_pool *ethdev_pool(struct port *port, unsigned queue)
{
	(void)queue;
	return &ethdev_of(port)->pool;
}

static unsigned ethdev_fds(const struct port *port, unsigned queue, int *fds)
{
	const struct ethdev_queue *q = &((const struct port_ethdev *)port)->queues[queue];

	memcpy(fds, q->fds, q->n_fds * sizeof(*fds));
	return q->n_fds;
}

static void ethdev_stats(
	struct port *port, bool (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct port_ethdev *p = ethdev_of(port);
	struct rte_eth_stats sum = {0};
	uint64_t chained = 0;

	for (unsigned i = 0; i < p->n_devs; i++) {
		struct rte_eth_stats one;

		if (rte_eth_stats_get(p->devs[i].id, &one) != 0)
			continue;
		sum.ipackets += one.ipackets;
		sum.opackets += one.opackets;
		sum.ibytes += one.ibytes;
		sum.obytes += one.obytes;
		sum.imissed += one.imissed;
		sum.ierrors += one.ierrors;
		sum.oerrors += one.oerrors;
		sum.rx_nombuf += one.rx_nombuf;
	}
	for (unsigned i = 0; i < p->port.info.queues; i++)
		chained += p->queues[i].rx_chained;
	(void)(fn(arg, "rx_packets", sum.ipackets) && fn(arg, "rx_octets", sum.ibytes) &&
		fn(arg, "rx_missed", sum.imissed) && fn(arg, "rx_errors", sum.ierrors) &&
		fn(arg, "rx_no_buffer", sum.rx_nombuf) && fn(arg, "rx_over_mtu", chained) &&
		fn(arg, "tx_packets", sum.opackets) && fn(arg, "tx_octets", sum.obytes) &&
		fn(arg, "tx_errors", sum.oerrors));
}

static void close_devices(void *port)
{
	struct port_ethdev *p = port;

	for (unsigned i = 0; i < p->n_devs; i++) {
		struct ethdev *dev = &p->devs[i];

		if (p->promiscuous)
			rte_eth_promiscuous_disable(dev->id);
		rte_eth_dev_stop(dev->id);
		rte_eth_dev_close(dev->id);
		rte_eal_hotplug_remove(dev->bus, dev->name);
	}
}

static void ethdev_close(struct port *port)
{
	struct port_ethdev *p = ethdev_of(port);

	/*
	 * memif hears there of a peer that leaves, and frees what closing frees. Where that thread
	 * cannot be had all is left as it is, for the end of the process.
	 */
	if (p->is_memif && !port_interrupt_run(close_devices, p))
		return;
	if (!p->is_memif)
		close_devices(p);
	if (p->socket_path[0])
		unlink(p->socket_path);
	rte_mempool_free(p->mempool);
	free(p);
}

const struct port_ops port_ethdev_ops = {
	.rx = ethdev_rx,
	.tx = ethdev_tx,
	.pool = ethdev_pool,
	.fds = ethdev_fds,
	.stats = ethdev_stats,
	.close = ethdev_close,
};
