/* A port on DPDK's ethdev: what opening it and running it share. */
#pragma once

#include "dataplane/port/port_priv.h"

#include <stdatomic.h>

#include <rte_mempool.h>

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
	bool deaf; /* another queue of the port receives; see one_queue */
	unsigned empty_polls;
	uint64_t rx_chained;
};

struct port_ethdev {
	struct port port;
	struct pkt_pool pool; /* one for all queues: a packet says it in pkt->pool */
	struct rte_mempool *mempool;
	uint32_t true_size;
	uint64_t tx_offloads;
	void (*tap_trigger)(int); /* see port_host_quiet_tap() */
	bool promiscuous;
	bool is_memif;
	bool relink;           /* a memif client: only a look at the link makes it connect again */
	char socket_path[108]; /* a memif server's, which the driver leaves behind */
	/*
	 * memif: the other side decides how many queues there are, and sends by one if it likes;
	 * so the port has one too. The first lcore receives, and who sends keeps the others off.
	 */
	bool one_queue;
	atomic_flag sending;
	unsigned n_devs;
	struct ethdev devs[PORT_MAX_QUEUES];
	struct ethdev_queue queues[PORT_MAX_QUEUES];
};

extern const struct port_ops port_ethdev_ops;
/* What a port's pool does. */
extern const struct pkt_pool port_ethdev_pool;
