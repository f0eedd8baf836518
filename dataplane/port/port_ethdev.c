#include "dataplane/port/port_priv.h"

#include "dataplane/port/port_host.h"
#include "dataplane/port/rss.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

/* Frames that a queue of a device holds, either way. */
#define RX_DESCRIPTORS 512
#define TX_DESCRIPTORS 512
/* Packets kept ready per lcore; the pool is larger by these. */
#define POOL_CACHE 256
/* Below this a queue could not even be filled. */
#define PACKETS_PER_QUEUE (RX_DESCRIPTORS + TX_DESCRIPTORS + 2 * POOL_CACHE)
/* Larger frames than the room of a buffer would come in pieces. */
#define MTU_MAX (RTE_MBUF_DEFAULT_DATAROOM - 64)

_Static_assert(RTE_PKTMBUF_HEADROOM >= PKT_TX_HEADROOM, "headers fit before what TCP writes");

struct ethdev {
	uint16_t id;
	char name[64];
	const char *bus;
};

/* A queue of the port: on most devices one of a single ethdev, on af_xdp an ethdev of its own. */
struct ethdev_queue {
	uint16_t dev;
	uint16_t queue;
	int fds[PORT_MAX_FDS];
	unsigned n_fds;
	unsigned empty_polls;
	uint64_t rx_chained;
};

/* Empty polls in a row after which a memif client looks whether its server is back. */
#define RELINK_POLLS 1024

struct port_ethdev {
	struct port port;
	struct pkt_pool pool; /* one for all queues: a packet says it in pkt->pool */
	struct rte_mempool *mempool;
	uint32_t true_size;
	uint64_t tx_offloads;
	void (*tap_trigger)(int); /* see port_host_quiet_tap() */
	bool promiscuous;
	bool relink;           /* a memif client: only a look at the link makes it connect again */
	char socket_path[108]; /* a memif server's, which the driver leaves behind */
	unsigned n_devs;
	struct ethdev devs[PORT_MAX_QUEUES];
	struct ethdev_queue queues[PORT_MAX_QUEUES];
};

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
	return rte_eth_tx_burst(q->dev, q->queue, mbufs, (uint16_t)n);
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

static void ethdev_close(struct port *port)
{
	struct port_ethdev *p = ethdev_of(port);

	for (unsigned i = 0; i < p->n_devs; i++) {
		struct ethdev *dev = &p->devs[i];

		if (p->promiscuous)
			rte_eth_promiscuous_disable(dev->id);
		rte_eth_dev_stop(dev->id);
		rte_eth_dev_close(dev->id);
		rte_eal_hotplug_remove(dev->bus, dev->name);
	}
	if (p->socket_path[0])
		unlink(p->socket_path);
	rte_mempool_free(p->mempool);
	free(p);
}

static const struct port_ops ethdev_ops = {
	.rx = ethdev_rx,
	.tx = ethdev_tx,
	.pool = ethdev_pool,
	.fds = ethdev_fds,
	.stats = ethdev_stats,
	.close = ethdev_close,
};

static int explain(struct text *why, const struct port_device *device, const char *step, int rc)
{
	const char *name = device->kind == PORT_MEMIF ? device->path : device->name;

	text_printf(why, "device %s:%s: %s: %s (", port_kind_word(device->kind), name, step,
		rte_strerror(rc < 0 ? -rc : EIO));
	port_log_text(why);
	text_putc(why, ')');
	return rc < 0 ? rc : -EIO;
}

static int make_pool(struct port_ethdev *p, const struct port_config *config)
{
	static unsigned pools;
	unsigned least = config->queues * PACKETS_PER_QUEUE;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "postern_pkts%u", pools++);
	/* Lcores may outnumber CPUs, and the default ring stalls when a producer is preempted. */
	p->mempool = rte_pktmbuf_pool_create_by_ops(name, RTE_MAX(config->packets, least),
		POOL_CACHE, RTE_ALIGN(sizeof(struct pkt), RTE_MBUF_PRIV_ALIGN),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, "ring_mt_rts");
	if (!p->mempool)
		return -rte_errno;
	p->true_size = p->mempool->header_size + p->mempool->elt_size + p->mempool->trailer_size;
	p->pool = (struct pkt_pool){pool_alloc, pool_free};
	return 0;
}

/* Arguments of the driver for one more ethdev of this port. */
static void driver_arguments(const struct port_device *device, unsigned index, unsigned queues,
	struct text *driver, struct text *args)
{
	switch (device->kind) {
	case PORT_TAP:
		text_printf(driver, "net_tap");
		text_printf(args, "iface=%s", device->name);
		break;
	case PORT_AF_PACKET:
		text_printf(driver, "net_af_packet");
		text_printf(args, "iface=%s,qpairs=%u,framecnt=1024", device->name, queues);
		break;
	case PORT_AF_XDP: /* no busy budget: an idle lcore sleeps in poll() instead */
		text_printf(driver, "net_af_xdp");
		text_printf(args, "iface=%s,start_queue=%u,queue_count=1,busy_budget=0",
			device->name, index);
		break;
	case PORT_MEMIF:
		text_printf(driver, "net_memif");
		text_printf(args, "role=%s,id=0,socket=%s,socket-abstract=no,rsize=11%s",
			device->memif_client ? "client" : "server", device->path,
			device->memif_client && rte_eal_has_hugepages() ? ",zero-copy=yes" : "");
		break;
	default: break;
	}
}

static int probe(struct port_ethdev *p, const struct port_device *device, unsigned queues)
{
	static unsigned vdevs;
	struct ethdev *dev = &p->devs[p->n_devs];
	char driver_buf[32], args_buf[256];
	struct text driver, args;
	int rc;

	text_init(&driver, driver_buf, sizeof(driver_buf));
	text_init(&args, args_buf, sizeof(args_buf));
	driver_arguments(device, p->n_devs, queues, &driver, &args);
	dev->bus = device->kind == PORT_PCI ? "pci" : "vdev";
	if (device->kind == PORT_PCI)
		snprintf(dev->name, sizeof(dev->name), "%s", device->name);
	else
		snprintf(dev->name, sizeof(dev->name), "%s%u", text_str(&driver), vdevs++);
	rc = rte_eal_hotplug_add(dev->bus, dev->name, text_str(&args));
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(dev->name, &dev->id);
	if (rc == 0)
		p->n_devs++;
	return rc;
}

static int configure(
	struct port_ethdev *p, const struct port_device *device, uint16_t id, unsigned n)
{
	static uint8_t key[RSS_KEY_LEN];
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(id, &info);

	if (rc < 0)
		return rc;
	if (device->kind == PORT_TAP)
		conf.intr_conf.rxq = 1; /* gives the descriptors to sleep on */
	if (device->kind == PORT_PCI) { /* what other drivers offer is software, slower than ours */
		conf.rxmode.offloads = info.rx_offload_capa &
				       (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_RSS_HASH);
		conf.txmode.offloads = info.tx_offload_capa & (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
								      RTE_ETH_TX_OFFLOAD_TCP_CKSUM);
		p->tx_offloads = conf.txmode.offloads;
	}
	if (device->kind == PORT_PCI && n > 1) {
		if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
			return -EIO;
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_key = key;
		conf.rx_adv_conf.rss_conf.rss_key_len = sizeof(key);
		conf.rx_adv_conf.rss_conf.rss_hf =
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP) & info.flow_type_rss_offloads;
	}
	return rte_eth_dev_configure(id, (uint16_t)n, (uint16_t)n, &conf);
}

static int set_up_queues(struct port_ethdev *p, uint16_t id, unsigned n)
{
	uint16_t rx = RX_DESCRIPTORS, tx = TX_DESCRIPTORS;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);

	for (uint16_t q = 0; rc == 0 && q < n; q++) {
		rc = rte_eth_rx_queue_setup(id, q, rx, SOCKET_ID_ANY, NULL, p->mempool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(id, q, tx, SOCKET_ID_ANY, NULL);
	}
	return rc;
}

/* Neighbour solicitations come to multicast addresses that the interface has not joined. */
static void receive_multicast(struct port_ethdev *p, const struct port_device *device, uint16_t id)
{
	if (device->kind == PORT_TAP || device->kind == PORT_MEMIF)
		return;
	if (rte_eth_allmulticast_enable(id) == 0)
		return;
	if (rte_eth_promiscuous_enable(id) == 0)
		p->promiscuous = true;
}

/* Bring up one ethdev with `n` queues, the next of the port. */
static int start(
	struct port_ethdev *p, const struct port_device *device, unsigned n, struct text *why)
{
	int *sockets = NULL, rc;
	size_t n_sockets;
	struct ethdev *dev = &p->devs[p->n_devs];

	rc = port_host_packet_sockets(&sockets, &n_sockets);
	if (rc == 0)
		rc = probe(p, device, n);
	if (rc < 0) {
		free(sockets);
		return explain(why, device, "cannot be opened", rc);
	}
	rc = configure(p, device, dev->id, n);
	if (rc == 0)
		rc = set_up_queues(p, dev->id, n);
	if (rc == 0)
		rc = rte_eth_dev_start(dev->id);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		struct ethdev_queue *q = &p->queues[p->port.info.queues++];

		q->dev = dev->id;
		q->queue = (uint16_t)i;
		if (device->kind == PORT_TAP) {
			q->fds[0] = rte_eth_dev_rx_intr_ctl_q_get_fd(dev->id, q->queue);
			q->n_fds = q->fds[0] >= 0 ? 1 : 0;
		} else if (device->kind == PORT_AF_PACKET || device->kind == PORT_AF_XDP) {
			q->n_fds = port_host_new_packet_socket(sockets, n_sockets, i, q->fds);
		}
	}
	free(sockets);
	if (rc < 0)
		return explain(why, device, "cannot be started", rc);
	receive_multicast(p, device, dev->id);
	return 0;
}

static int learn_info(struct port_ethdev *p, const struct port_device *device)
{
	struct port_info *info = &p->port.info;
	struct rte_ether_addr mac;
	uint16_t mtu;
	int rc = rte_eth_macaddr_get(p->devs[0].id, &mac);

	if (rc == 0)
		rc = rte_eth_dev_get_mtu(p->devs[0].id, &mtu);
	if (rc < 0)
		return rc;
	memcpy(info->mac, mac.addr_bytes, sizeof(info->mac));
	info->mtu = RTE_MIN(mtu, device->kind == PORT_PCI ? MTU_MAX : 1500);
	info->tx_ip4_csum = p->tx_offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	info->tx_l4_csum = p->tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	if (device->kind == PORT_TAP) {
		/* The driver reports the kernel's end; ours is another station on that wire. */
		info->mac[0] |= 0x02;
		info->mac[5] ^= 0x01;
		snprintf(info->kernel_name, sizeof(info->kernel_name), "%s", device->name);
		if (p->queues[0].n_fds)
			p->tap_trigger = port_host_quiet_tap(p->queues[0].fds[0]);
		for (unsigned i = 1; p->tap_trigger && i < info->queues; i++)
			port_host_quiet_tap(p->queues[i].fds[0]);
	}
	return 0;
}

int port_ethdev_open(const struct port_device *device, const struct port_config *config,
	struct port **out, struct text *why)
{
	bool one_each = device->kind == PORT_AF_XDP;
	struct port_ethdev *p;
	int rc = port_host_check(device, config->queues, why);

	if (rc < 0)
		return rc;
	port_log_clear();
	p = calloc(1, sizeof(*p));
	if (!p) {
		text_printf(why, "no memory for a port");
		return -ENOMEM;
	}
	p->port.ops = &ethdev_ops;
	p->relink = device->kind == PORT_MEMIF && device->memif_client;
	rc = make_pool(p, config);
	if (rc < 0)
		rc = explain(why, device, "not enough packet memory", rc);
	for (unsigned i = 0; rc == 0 && i < (one_each ? config->queues : 1); i++)
		rc = start(p, device, one_each ? 1 : config->queues, why);
	if (rc == 0) {
		rc = learn_info(p, device);
		if (rc < 0)
			explain(why, device, "does not tell its address", rc);
	}
	if (rc < 0) {
		ethdev_close(&p->port);
		return rc;
	}
	if (device->kind == PORT_MEMIF && !device->memif_client)
		memcpy(p->socket_path, device->path, sizeof(p->socket_path));
	port_log_clear();
	*out = &p->port;
	return 0;
}
