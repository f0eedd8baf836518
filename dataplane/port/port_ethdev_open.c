#include "dataplane/port/port_ethdev_priv.h"

#include "dataplane/port/port_host.h"
#include "dataplane/port/rss.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

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
	p->pool = port_ethdev_pool;
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
	if (rc < 0)
		return rc;
	rc = rte_eth_dev_get_port_by_name(dev->name, &dev->id);
	if (rc < 0)
		rte_eal_hotplug_remove(dev->bus, dev->name);
	if (rc == 0)
		p->n_devs++;
	if (rc == 0 && device->kind == PORT_MEMIF && !device->memif_client)
		memcpy(p->socket_path, device->path, sizeof(p->socket_path));
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

/* The other lcores of a device with one queue send by the first's, and receive from its lcore. */
static void share_queue(struct port_ethdev *p, unsigned queues)
{
	p->one_queue = queues > 1;
	while (p->port.info.queues < queues) {
		struct ethdev_queue *q = &p->queues[p->port.info.queues++];

		*q = p->queues[0];
		q->deaf = true;
	}
}

/* The ethdevs of a port, and their queues. */
static int start_all(
	struct port_ethdev *p, const struct port_device *device, unsigned queues, struct text *why)
{
	bool one_each = device->kind == PORT_AF_XDP, one = device->kind == PORT_MEMIF;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < (one_each ? queues : 1); i++)
		rc = start(p, device, one_each || one ? 1 : queues, why);
	if (rc == 0 && one)
		share_queue(p, queues);
	return rc;
}

int port_ethdev_open(const struct port_device *device, const struct port_config *config,
	struct port **out, struct text *why)
{
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
	p->port.ops = &port_ethdev_ops;
	atomic_flag_clear(&p->sending);
	p->is_memif = device->kind == PORT_MEMIF;
	p->relink = device->kind == PORT_MEMIF && device->memif_client;
	rc = make_pool(p, config);
	if (rc < 0)
		rc = explain(why, device, "not enough packet memory", rc);
	else
		rc = start_all(p, device, config->queues, why);
	if (rc == 0) {
		rc = learn_info(p, device);
		if (rc < 0)
			explain(why, device, "does not tell its address", rc);
	}
	if (rc < 0) {
		port_ethdev_ops.close(&p->port);
		return rc;
	}
	port_log_clear();
	*out = &p->port;
	return 0;
}
