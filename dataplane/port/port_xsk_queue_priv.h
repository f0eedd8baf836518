/*
 * One AF_XDP socket: the receive and transmit queue of one device queue, over a pool that is the
 * sockets' common memory (UMEM). Copy mode: the device stays the kernel's.
 *
 * The pool's memory is cut into frames of one size. A frame holds what the pool keeps of it, a
 * struct pkt, headroom and the packet; the kernel is told a frame's address as its offset.
 */
#pragma once

#include "base/counters.h"
#include "dataplane/port/port_priv.h"

#include <xdp/xsk.h>

struct rte_mempool;
struct rte_memzone;

#define PORT_XSK_FRAME 2048
/* Entries of each ring; what is given to the kernel for reception never exceeds it. */
#define PORT_XSK_RING 1024

struct port_xsk_pool {
	struct pkt_pool pool;
	struct rte_mempool *mempool;
	const struct rte_memzone *memory;
	struct xsk_umem *umem;
};

/* `packets` frames, named apart from other pools; the first socket's rings come with it. */
struct port_xsk_queue;
int port_xsk_pool_init(struct port_xsk_pool *pool, unsigned packets, struct port_xsk_queue *first);
/* After the last socket is closed. */
void port_xsk_pool_fini(struct port_xsk_pool *pool);

/* Each is one lcore's alone, so none shares a cache line with another. */
struct port_xsk_queue {
	_Alignas(64) struct xsk_socket *socket; /* NULL: not open */
	struct port_xsk_pool *pool;
	int fd;
	struct xsk_ring_cons rx, completed;
	struct xsk_ring_prod tx, fill;
	unsigned fill_missing; /* frames that the fill ring has room for */
	unsigned tx_in_flight; /* frames sent whose completion has not been seen */
	bool tx_unkicked;      /* the kernel has not yet taken all of the tx ring */
	counter rx_packets, rx_octets, rx_no_buffer, tx_packets, tx_octets, tx_busy;
};

/*
 * Bind the socket of queue `number`; the first one was given to port_xsk_pool_init(). Needs
 * CAP_NET_RAW and, for the pool, CAP_IPC_LOCK; 0 or -errno.
 */
int port_xsk_queue_open(struct port_xsk_queue *q, struct port_xsk_pool *pool, const char *interface,
	unsigned number);
void port_xsk_queue_close(struct port_xsk_queue *q);

unsigned port_xsk_queue_rx(struct port_xsk_queue *q, struct pkt **pkts, unsigned n);
unsigned port_xsk_queue_tx(struct port_xsk_queue *q, struct pkt **pkts, unsigned n);
