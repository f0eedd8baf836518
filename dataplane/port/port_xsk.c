/*
 * af_xdp-shared: the kernel keeps the interface and its addresses; an XDP program of ours takes
 * what goes to our ports before the kernel sees it, into AF_XDP sockets, one for each receive queue
 * of the device. Queue i of the port serves device queues i, i + n, i + 2n ..., and sends by the
 * first of them.
 */
#include "dataplane/port/port_xsk_host_priv.h"
#include "dataplane/port/port_xsk_queue_priv.h"
#include "dataplane/port/port_xsk_steer_priv.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What the sockets of one device queue may hold of the pool: both rings, and some to work with. */
#define PACKETS_PER_QUEUE (2 * PORT_XSK_RING + 512)
/* Larger frames than a buffer has room for are not received; ours never are. */
#define MTU_MAX 1500

struct port_xsk {
	struct port port;
	struct port_xsk_pool pool;
	struct port_xsk_steer steer;
	unsigned n_queues;              /* of the device */
	unsigned turn[PORT_MAX_QUEUES]; /* device queue that a queue of the port asks first */
	struct port_xsk_queue queues[STEER_MAX_QUEUES];
};

static inline struct port_xsk *xsk_of(struct port *port)
{
	return (struct port_xsk *)port;
}

static unsigned xsk_rx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n)
{
	struct port_xsk *p = xsk_of(port);
	unsigned step = p->port.info.queues, at = p->turn[queue], got = 0;

	if (n > PORT_BURST)
		n = PORT_BURST;
	do {
		got += port_xsk_queue_rx(&p->queues[at], pkts + got, n - got);
		at = at + step < p->n_queues ? at + step : queue;
	} while (got < n && at != p->turn[queue]);
	if (at != p->turn[queue]) /* lcores share this line */
		p->turn[queue] = at;
	return got;
}

static unsigned xsk_tx(struct port *port, unsigned queue, struct pkt **pkts, unsigned n)
{
	return port_xsk_queue_tx(
		&xsk_of(port)->queues[queue], pkts, n < PORT_BURST ? n : PORT_BURST);
}

static struct pkt_pool *xsk_pool(struct port *port, unsigned queue)
{
	(void)queue;
	return &xsk_of(port)->pool.pool;
}

static unsigned xsk_fds(const struct port *port, unsigned queue, int *fds)
{
	const struct port_xsk *p = (const struct port_xsk *)port;
	unsigned n = 0;

	for (unsigned i = queue; i < p->n_queues; i += p->port.info.queues)
		fds[n++] = p->queues[i].fd;
	return n;
}

static void add_missed(const struct port_xsk_queue *q, uint64_t *missed, uint64_t *errors)
{
	struct xdp_statistics kernel;
	socklen_t len = sizeof(kernel);

	if (getsockopt(q->fd, SOL_XDP, XDP_STATISTICS, &kernel, &len) < 0)
		return;
	*missed += kernel.rx_dropped + kernel.rx_ring_full;
	*errors += kernel.tx_invalid_descs;
}

static void xsk_stats(
	struct port *port, bool (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	static const struct {
		const char *name;
		size_t at;
	} counters[] = {
		{"rx_packets", offsetof(struct port_xsk_queue, rx_packets)},
		{"rx_octets", offsetof(struct port_xsk_queue, rx_octets)},
		{"rx_no_buffer", offsetof(struct port_xsk_queue, rx_no_buffer)},
		{"tx_packets", offsetof(struct port_xsk_queue, tx_packets)},
		{"tx_octets", offsetof(struct port_xsk_queue, tx_octets)},
		{"tx_busy", offsetof(struct port_xsk_queue, tx_busy)},
	};
	struct port_xsk *p = xsk_of(port);
	uint64_t missed = 0, errors = 0;

	for (unsigned c = 0; c < sizeof(counters) / sizeof(counters[0]); c++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < p->n_queues; i++)
			sum += atomic_load_explicit(
				(counter *)((char *)&p->queues[i] + counters[c].at),
				memory_order_relaxed);
		if (!fn(arg, counters[c].name, sum))
			return;
	}
	for (unsigned i = 0; i < p->n_queues; i++)
		add_missed(&p->queues[i], &missed, &errors);
	(void)(fn(arg, "rx_missed", missed) && fn(arg, "tx_errors", errors) &&
		port_xsk_steer_stats(&p->steer, fn, arg));
}

/* The program first, so that from then on the kernel answers. */
static void xsk_close(struct port *port)
{
	struct port_xsk *p = xsk_of(port);

	port_xsk_steer_fini(&p->steer);
	for (unsigned i = 0; i < p->n_queues; i++)
		port_xsk_queue_close(&p->queues[i]);
	port_xsk_pool_fini(&p->pool);
	free(p);
}

static const struct port_ops xsk_ops = {
	.rx = xsk_rx,
	.tx = xsk_tx,
	.pool = xsk_pool,
	.fds = xsk_fds,
	.stats = xsk_stats,
	.close = xsk_close,
};

/* --- opening ------------------------------------------------------------------------------------
 */

enum step { STEP_PROGRAM, STEP_MEMORY, STEP_SOCKET, STEP_ATTACH, STEP_COUNT };

static const char *const step_names[] = {
	[STEP_PROGRAM] = "the XDP program is not loaded",
	[STEP_MEMORY] = "no packet memory",
	[STEP_SOCKET] = "no AF_XDP socket",
	[STEP_ATTACH] = "the XDP program is not attached",
};

/* Errors that say in their own way what to do; %s is the interface. */
static const struct {
	enum step step;
	int error;
	const char *advice;
} advices[] = {
	{STEP_PROGRAM, EPERM, "needs CAP_BPF and CAP_NET_ADMIN: start as root"},
	{STEP_PROGRAM, E2BIG, "at most 8 addresses of each family and 16 ports"},
	{STEP_MEMORY, EPERM, "needs CAP_NET_RAW: start as root"},
	{STEP_MEMORY, ENOMEM, "raise lcores.memory"},
	{STEP_MEMORY, ENOBUFS, "needs CAP_IPC_LOCK, or a larger RLIMIT_MEMLOCK"},
	{STEP_SOCKET, EPERM, "needs CAP_NET_RAW and CAP_NET_ADMIN: start as root"},
	{STEP_SOCKET, EBUSY,
		"another AF_XDP socket has that queue: name each interface only once, and end "
		"what else uses it"},
	{STEP_ATTACH, EPERM, "needs CAP_NET_ADMIN: start as root"},
	{STEP_ATTACH, EBUSY,
		"there is another XDP program (ip link show dev %s); end what loaded it, or ip "
		"link set dev %s xdp off"},
	{STEP_ATTACH, EEXIST,
		"there is another XDP program (ip link show dev %s); end what loaded it, or ip "
		"link set dev %s xdp off"},
	{STEP_ATTACH, ERANGE, "its MTU is too large for XDP; ip link set dev %s mtu 1500"},
	{STEP_ATTACH, ENOSPC,
		"too few receive queues: a veth needs as many as its peer has to send; ethtool -L "
		"%s rx N"},
};

static int explain(struct text *why, const char *interface, enum step step, int rc)
{
	text_printf(
		why, "device af_xdp-shared:%s: %s: %s", interface, step_names[step], strerror(-rc));
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		if (advices[i].step == step && advices[i].error == -rc) {
			text_printf(why, "; ");
			text_printf(why, advices[i].advice, interface, interface);
		}
	}
	if (port_log_any()) {
		text_printf(why, " (");
		port_log_text(why);
		text_putc(why, ')');
	}
	return rc;
}

static int open_sockets(struct port_xsk *p, const char *interface)
{
	for (unsigned i = 0; i < p->n_queues; i++) {
		struct port_xsk_queue *q = &p->queues[i];
		int rc = port_xsk_queue_open(q, &p->pool, interface, i);

		if (rc == 0)
			rc = xsk_socket__update_xskmap(q->socket, p->steer.sockets);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The program last: from the first packet that it takes, somebody must be there. */
static int bring_up(struct port_xsk *p, const char *interface, const struct port_config *config,
	unsigned ifindex, enum step *step)
{
	unsigned least = p->n_queues * PACKETS_PER_QUEUE;
	int rc;

	*step = STEP_PROGRAM;
	rc = port_xsk_steer_load(&p->steer, config);
	if (rc < 0)
		return rc;
	*step = STEP_MEMORY;
	rc = port_xsk_pool_init(
		&p->pool, config->packets > least ? config->packets : least, &p->queues[0]);
	if (rc < 0)
		return rc;
	*step = STEP_SOCKET;
	rc = open_sockets(p, interface);
	if (rc < 0)
		return rc;
	*step = STEP_ATTACH;
	return port_xsk_steer_attach(&p->steer, ifindex);
}

int port_xsk_open(const struct port_device *device, const struct port_config *config,
	struct port **out, struct text *why)
{
	struct port_xsk_host host;
	struct port_xsk *p;
	enum step step;
	int rc = port_xsk_host_check(device->name, config, &host, why);

	if (rc < 0)
		return rc;
	port_log_clear();
	p = aligned_alloc(_Alignof(struct port_xsk), sizeof(*p));
	if (!p) {
		text_printf(why, "no memory for a port");
		return -ENOMEM;
	}
	memset(p, 0, sizeof(*p));
	p->port.ops = &xsk_ops;
	p->n_queues = host.rx_queues;
	p->port.info.queues = config->queues;
	p->port.info.mtu = (uint16_t)(host.mtu < MTU_MAX ? host.mtu : MTU_MAX);
	p->port.info.shared = true;
	memcpy(p->port.info.mac, host.mac, sizeof(host.mac));
	for (unsigned i = 0; i < config->queues; i++)
		p->turn[i] = i;
	rc = bring_up(p, device->name, config, host.ifindex, &step);
	if (rc < 0) {
		explain(why, device->name, step, rc);
		xsk_close(&p->port);
		return rc;
	}
	port_log_clear();
	*out = &p->port;
	return 0;
}
