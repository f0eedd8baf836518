#include "dataplane/port/port_xsk_queue_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <sys/socket.h>

#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

/* Where in a frame things lie. The kernel leaves XDP_PACKET_HEADROOM before what it receives. */
#define FRAME_PKT     64 /* after the pool's own header */
#define FRAME_FREE    128
#define FRAME_DATA    (FRAME_FREE + XDP_PACKET_HEADROOM)
#define FRAME_ELEMENT (PORT_XSK_FRAME - FRAME_PKT)

_Static_assert(FRAME_PKT + sizeof(struct pkt) <= FRAME_FREE, "a struct pkt fits before the data");
_Static_assert(FRAME_DATA - FRAME_FREE >= PKT_TX_HEADROOM, "headers fit before what TCP writes");

/* Packets kept ready per lcore; the pool is larger by these. */
#define POOL_CACHE 256
/* The fill ring is filled up by this many at a time. */
#define REFILL PORT_BURST
/* One system call sends at most a burst; leftovers of earlier ones may lie before it. */
#define KICKS_MAX 4
/* Room for a full transmit ring in the socket's send buffer, as the kernel counts it. */
#define SEND_BUFFER (PORT_XSK_RING * 4096)

/* --- frames -------------------------------------------------------------------------------------
 */

static inline uint8_t *memory_of(const struct port_xsk_pool *pool)
{
	return pool->memory->addr;
}

static inline uint64_t frame_of(const struct port_xsk_pool *pool, const struct pkt *pkt)
{
	return (uint64_t)((const uint8_t *)pkt - memory_of(pool)) - FRAME_PKT;
}

/* `address` is any in the frame. */
static inline struct pkt *pkt_at(const struct port_xsk_pool *pool, uint64_t address)
{
	return (struct pkt *)(memory_of(pool) + (address & ~(uint64_t)(PORT_XSK_FRAME - 1)) +
			      FRAME_PKT);
}

static inline void pkt_set(
	struct port_xsk_pool *pool, struct pkt *pkt, uint64_t address, uint16_t len)
{
	uint16_t at = (uint16_t)(address & (PORT_XSK_FRAME - 1));

	*pkt = (struct pkt){
		.pool = &pool->pool,
		.data = memory_of(pool) + address,
		.len = len,
		.headroom = (uint16_t)(at - FRAME_FREE),
		.tailroom = (uint16_t)(PORT_XSK_FRAME - at - len),
		.true_size = PORT_XSK_FRAME,
	};
}

static struct pkt *pool_alloc(struct pkt_pool *p)
{
	struct port_xsk_pool *pool = (struct port_xsk_pool *)p;
	void *taken;
	struct pkt *pkt;

	if (rte_mempool_get(pool->mempool, &taken) < 0)
		return NULL;
	pkt = taken;
	pkt_set(pool, pkt, frame_of(pool, pkt) + FRAME_DATA, 0);
	return pkt;
}

static void pool_free(struct pkt_pool *p, struct pkt *pkt)
{
	rte_mempool_put(((struct port_xsk_pool *)p)->mempool, pkt);
}

static int make_mempool(struct port_xsk_pool *pool, const char *name, unsigned packets)
{
	struct rte_mempool *mempool = rte_mempool_create_empty(name, packets, FRAME_ELEMENT,
		POOL_CACHE, 0, SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_SPREAD);
	int rc;

	if (!mempool)
		return -rte_errno;
	pool->mempool = mempool;
	if (mempool->header_size + mempool->elt_size + mempool->trailer_size != PORT_XSK_FRAME ||
		mempool->header_size != FRAME_PKT)
		return -EINVAL; /* a DPDK built with other layouts */
	/* Lcores may outnumber CPUs, and the default ring stalls when a producer is preempted. */
	rc = rte_mempool_set_ops_byname(mempool, "ring_mt_rts", NULL);
	if (rc < 0)
		return rc;
	rc = rte_mempool_populate_iova(
		mempool, pool->memory->addr, RTE_BAD_IOVA, pool->memory->len, NULL, NULL);
	return rc < 0 ? rc : 0;
}

int port_xsk_pool_init(struct port_xsk_pool *pool, unsigned packets, struct port_xsk_queue *first)
{
	static unsigned pools;
	const struct xsk_umem_config umem = {
		.fill_size = PORT_XSK_RING,
		.comp_size = PORT_XSK_RING,
		.frame_size = PORT_XSK_FRAME,
		.frame_headroom = FRAME_FREE,
	};
	char name[RTE_MEMPOOL_NAMESIZE];
	int rc;

	snprintf(name, sizeof(name), "postern_xsk%u", pools++);
	pool->pool = (struct pkt_pool){pool_alloc, pool_free};
	pool->memory = rte_memzone_reserve_aligned(
		name, (size_t)packets * PORT_XSK_FRAME, SOCKET_ID_ANY, 0, 4096);
	if (!pool->memory)
		return -rte_errno;
	rc = make_mempool(pool, name, packets);
	if (rc < 0)
		return rc;
	return xsk_umem__create(&pool->umem, pool->memory->addr, (uint64_t)packets * PORT_XSK_FRAME,
		&first->fill, &first->completed, &umem);
}

void port_xsk_pool_fini(struct port_xsk_pool *pool)
{
	if (pool->umem)
		xsk_umem__delete(pool->umem);
	rte_mempool_free(pool->mempool);
	rte_memzone_free(pool->memory);
	*pool = (struct port_xsk_pool){0};
}

/* --- sockets ------------------------------------------------------------------------------------
 */

/* Give the kernel frames to receive into. */
static void refill(struct port_xsk_queue *q)
{
	void *taken[REFILL];

	while (q->fill_missing >= REFILL) {
		uint32_t at;

		if (rte_mempool_get_bulk(q->pool->mempool, taken, REFILL) < 0) {
			counter_inc(&q->rx_no_buffer);
			return;
		}
		if (xsk_ring_prod__reserve(&q->fill, REFILL, &at) != REFILL) {
			rte_mempool_put_bulk(q->pool->mempool, taken, REFILL);
			return;
		}
		for (unsigned i = 0; i < REFILL; i++)
			*xsk_ring_prod__fill_addr(&q->fill, at + i) = frame_of(q->pool, taken[i]);
		xsk_ring_prod__submit(&q->fill, REFILL);
		q->fill_missing -= REFILL;
	}
}

int port_xsk_queue_open(struct port_xsk_queue *q, struct port_xsk_pool *pool, const char *interface,
	unsigned number)
{
	const struct xsk_socket_config config = {
		.rx_size = PORT_XSK_RING,
		.tx_size = PORT_XSK_RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	int size = SEND_BUFFER, rc;

	q->pool = pool;
	rc = xsk_socket__create_shared(&q->socket, interface, number, pool->umem, &q->rx, &q->tx,
		&q->fill, &q->completed, &config);
	if (rc < 0)
		return rc;
	q->fd = xsk_socket__fd(q->socket);
	/* A child that held it would keep the queue. */
	if (fcntl(q->fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	/* The usual one holds fewer frames than the ring; beyond it the kernel sends no more. */
	if (setsockopt(q->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		return -errno;
	q->fill_missing = PORT_XSK_RING;
	refill(q);
	return q->fill_missing ? -ENOMEM : 0;
}

void port_xsk_queue_close(struct port_xsk_queue *q)
{
	if (q->socket)
		xsk_socket__delete(q->socket);
	q->socket = NULL;
}

/* What has been sent goes back to the pool. */
static void reap(struct port_xsk_queue *q)
{
	void *done[PORT_BURST];
	uint32_t at;
	unsigned n;

	while (q->tx_in_flight && (n = xsk_ring_cons__peek(&q->completed, PORT_BURST, &at))) {
		for (unsigned i = 0; i < n; i++)
			done[i] = pkt_at(q->pool, *xsk_ring_cons__comp_addr(&q->completed, at + i));
		xsk_ring_cons__release(&q->completed, n);
		rte_mempool_put_bulk(q->pool->mempool, done, n);
		q->tx_in_flight -= n;
	}
}

static inline bool tx_ring_is_empty(struct port_xsk_queue *q)
{
	return xsk_prod_nb_free(&q->tx, PORT_XSK_RING) == PORT_XSK_RING;
}

/*
 * In copy mode the kernel sends only when it is asked to. What it cannot send now stays in the
 * ring, and is asked for again at the next receive.
 */
static void kick(struct port_xsk_queue *q)
{
	for (unsigned i = 0; i < KICKS_MAX; i++) {
		ssize_t rc = sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);

		q->tx_unkicked = !tx_ring_is_empty(q);
		if (!q->tx_unkicked || (rc < 0 && errno != EAGAIN))
			return;
	}
	counter_inc(&q->tx_busy);
}

unsigned port_xsk_queue_rx(struct port_xsk_queue *q, struct pkt **pkts, unsigned n)
{
	uint64_t octets = 0;
	uint32_t at;
	unsigned got;

	if (q->tx_unkicked)
		kick(q);
	reap(q);
	got = xsk_ring_cons__peek(&q->rx, n, &at);
	for (unsigned i = 0; i < got; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&q->rx, at + i);

		pkts[i] = pkt_at(q->pool, desc->addr);
		pkt_set(q->pool, pkts[i], desc->addr, (uint16_t)desc->len);
		octets += desc->len;
	}
	if (got) {
		xsk_ring_cons__release(&q->rx, got);
		counter_add(&q->rx_packets, got);
		counter_add(&q->rx_octets, octets);
		q->fill_missing += got;
	}
	refill(q);
	return got;
}

unsigned port_xsk_queue_tx(struct port_xsk_queue *q, struct pkt **pkts, unsigned n)
{
	uint64_t octets = 0;
	uint32_t at, free;

	reap(q);
	/* As many again may complete as lie in the completion ring, which is of the same size. */
	free = PORT_XSK_RING - q->tx_in_flight;
	if (n > free)
		n = free;
	if (n == 0 || xsk_ring_prod__reserve(&q->tx, n, &at) != n) {
		kick(q);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		*xsk_ring_prod__tx_desc(&q->tx, at + i) = (struct xdp_desc){
			.addr = (uint64_t)(pkts[i]->data - memory_of(q->pool)),
			.len = pkts[i]->len,
		};
		octets += pkts[i]->len;
	}
	xsk_ring_prod__submit(&q->tx, n);
	q->tx_in_flight += n;
	counter_add(&q->tx_packets, n);
	counter_add(&q->tx_octets, octets);
	kick(q);
	return n;
}
