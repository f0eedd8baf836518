/* Our own TCP on a device: one lcore, polled by the generator's only thread. */
#include "base/clock.h"
#include "base/counters.h"
#include "bench/load/flood_syn.h"
#include "bench/load/transport.h"
#include "dataplane/lcore.h"
#include "dataplane/port/port_device.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>

/* What one packet takes, all in; a share of the memory is for what is not packets. */
#define PACKET_OCTETS 2600u
/* Of a mail's replies little comes at a time. */
#define WINDOW 16384u
/* Enough for a large mail in flight. */
#define SEND_BUFFER (1u << 20)
/* Rounds without anything before the thread sleeps, and for how long where the device has no
 * descriptor. */
#define IDLE_ROUNDS  64u
#define NAP_US       50u
#define SLEEP_MAX_US 100000u
struct stack_conn {
	struct tcp_conn *tcp;
	void *user;
	bool shut;   /* the peer has closed */
	bool failed; /* only releasing is left */
	struct stack_conn *next;
};

struct transport_stack {
	struct transport transport;
	const struct load_options *options;
	struct port *port;
	struct lcore *lcore;
	int fds[PORT_MAX_FDS];
	unsigned n_fds, idle;
	uint32_t choice; /* of an address */
	uint64_t now_us;
	struct stack_conn *spare; /* handles that were used before */
	struct flood_syn flood;
	bool env;
};

static struct transport_stack *self_of(struct transport *t)
{
	return (struct transport_stack *)t;
}

static struct stack_conn *new_conn(struct transport_stack *s)
{
	struct stack_conn *c = s->spare;

	if (c)
		s->spare = c->next;
	else
		c = malloc(sizeof(*c));
	if (c)
		*c = (struct stack_conn){0};
	return c;
}

static void put_conn(struct transport_stack *s, struct stack_conn *c)
{
	c->next = s->spare;
	s->spare = c;
}

static int connect_error(int rc)
{
	switch (rc) {
	case -EADDRNOTAVAIL: return TRANSPORT_FAIL(LOAD_NO_PORT);
	case -ENETUNREACH: return TRANSPORT_FAIL(LOAD_UNREACHABLE);
	default: return TRANSPORT_FAIL(LOAD_NO_MEMORY);
	}
}

/*
 * Each address has as many connections as it has ports. Not in turn: the stack tries ports in turn,
 * and of the two together each address would see a few only.
 */
static const struct ip_addr *some_address(struct transport_stack *s)
{
	const struct load_options *o = s->options;
	unsigned first;

	s->choice = s->choice * 1664525u + 1013904223u; /* Numerical Recipes' generator */
	first = (s->choice >> 16) % o->n_addresses;
	for (unsigned i = 0; i < o->n_addresses; i++) {
		const struct ip_addr *ours = &o->addresses[(first + i) % o->n_addresses].addr;

		if (ip_addr_is_v4(ours) == ip_addr_is_v4(&o->server))
			return ours;
	}
	return NULL;
}

static int stack_connect(struct transport *t, void *user, uint64_t now_us, void **conn)
{
	struct transport_stack *s = self_of(t);
	const struct load_options *o = s->options;
	const struct ip_addr *local = some_address(s);
	struct stack_conn *c = local ? new_conn(s) : NULL;
	int rc;

	if (!c)
		return TRANSPORT_FAIL(local ? LOAD_NO_MEMORY : LOAD_UNREACHABLE);
	c->user = user;
	rc = tcp_connect_from(
		lcore_tcp(s->lcore), local, &o->server, (uint16_t)o->port, WINDOW, now_us, &c->tcp);
	if (rc < 0) {
		put_conn(s, c);
		return connect_error(rc);
	}
	tcp_set_user(c->tcp, c);
	*conn = c;
	return 0;
}

static void sleep_until(struct transport_stack *s, uint64_t deadline_us)
{
	uint64_t next = lcore_next_deadline_us(s->lcore),
		 wait_us = s->n_fds ? SLEEP_MAX_US : NAP_US;
	struct pollfd polled[PORT_MAX_FDS];
	struct timespec timeout = {0};

	if (deadline_us < next)
		next = deadline_us;
	if (next <= s->now_us)
		return;
	if (next - s->now_us < wait_us)
		wait_us = next - s->now_us;
	for (unsigned i = 0; i < s->n_fds; i++)
		polled[i] = (struct pollfd){.fd = s->fds[i], .events = POLLIN};
	timeout.tv_nsec = (long)wait_us * 1000;
	ppoll(polled, s->n_fds, &timeout, NULL);
}

static void stack_poll(struct transport *t, uint64_t now_us, uint64_t deadline_us)
{
	struct transport_stack *s = self_of(t);

	s->now_us = now_us;
	if (lcore_receive(s->lcore, now_us) > 0)
		s->idle = 0;
	else if (++s->idle > IDLE_ROUNDS)
		sleep_until(s, deadline_us);
}

static enum load_error error_of(const struct tcp_conn *conn)
{
	switch (tcp_error(conn)) {
	case TCP_FAIL_REFUSED: return LOAD_REFUSED;
	case TCP_FAIL_TIMEOUT: return LOAD_CONNECT_TIMEOUT;
	case TCP_FAIL_MEMORY: return LOAD_NO_MEMORY;
	default: return LOAD_RESET;
	}
}

static bool stack_next(struct transport *t, struct transport_event *event)
{
	struct transport_stack *s = self_of(t);
	struct tcp_conn *tcp;
	unsigned ready;

	while ((tcp = tcp_next_ready(lcore_tcp(s->lcore), &ready))) {
		struct stack_conn *c = tcp_user(tcp);

		if (!c) { /* nobody asked for it: we listen on no port */
			if (ready & (TCP_READY_FAILED | TCP_READY_CLOSED))
				tcp_release(tcp);
			continue;
		}
		*event = (struct transport_event){.user = c->user};
		if (ready & TCP_READY_FAILED) {
			c->failed = true;
			event->what = TRANSPORT_FAILED;
			event->error = error_of(tcp);
			return true;
		}
		if (ready & (TCP_READY_PEER_SHUT | TCP_READY_CLOSED))
			c->shut = true;
		if (ready & TCP_READY_CLOSED)
			c->failed = true;
		if (ready & TCP_READY_OPENED)
			event->what |= TRANSPORT_OPENED | TRANSPORT_WRITABLE;
		if (ready & (TCP_READY_READABLE | TCP_READY_PEER_SHUT | TCP_READY_CLOSED))
			event->what |= TRANSPORT_READABLE;
		if (ready & TCP_READY_WRITABLE)
			event->what |= TRANSPORT_WRITABLE;
		if (event->what)
			return true;
	}
	return false;
}

static long stack_receive(struct transport *t, void *conn, void *buf, size_t cap)
{
	struct stack_conn *c = conn;
	struct bytes run = tcp_peek(c->tcp);
	size_t n = run.len < cap ? run.len : cap;

	(void)t;
	if (n == 0)
		return c->shut ? TRANSPORT_END : TRANSPORT_AGAIN;
	memcpy(buf, run.data, n);
	tcp_consume(c->tcp, (uint32_t)n);
	return (long)n;
}

static size_t stack_send(struct transport *t, void *conn, struct bytes octets)
{
	struct stack_conn *c = conn;

	(void)t;
	return c->failed ? 0 : tcp_send(c->tcp, octets);
}

static void give_back(struct transport *t, struct stack_conn *c, void (*how)(struct tcp_conn *))
{
	tcp_set_user(c->tcp, NULL);
	if (c->failed)
		tcp_release(c->tcp);
	else
		how(c->tcp);
	put_conn(self_of(t), c);
}

static void stack_close(struct transport *t, void *conn)
{
	give_back(t, conn, tcp_close);
}

static void stack_abort(struct transport *t, void *conn)
{
	give_back(t, conn, tcp_abort);
}

static void stack_flush(struct transport *t, uint64_t now_us)
{
	struct transport_stack *s = self_of(t);

	if (lcore_send(s->lcore, now_us) > 0)
		s->idle = 0;
}

/* Connections go first: what they send would be dropped behind more SYNs than the device takes. */
static unsigned stack_flood(struct transport *t, unsigned n, uint64_t now_us)
{
	struct transport_stack *s = self_of(t);
	struct pkt_pool *pool = port_pool(s->port, 0);
	struct net_route route = {.peer = s->options->server};
	unsigned sent;

	if (net_tx_waiting(lcore_net(s->lcore)) > 0)
		return 0;
	for (sent = 0; sent < n; sent++) {
		struct pkt *pkt = pool->alloc(pool);

		if (!pkt)
			break;
		pkt->len = (uint16_t)flood_syn_next(&s->flood, &route.local, pkt->data);
		pkt->tailroom = (uint16_t)(pkt->tailroom - pkt->len);
		net_output(lcore_net(s->lcore), pkt, &route, now_us);
	}
	return sent;
}

static uint64_t stack_flood_answers(const struct transport *t)
{
	const struct transport_stack *s = (const struct transport_stack *)t;
	struct counters_registry registry;

	counters_registry_init(&registry);
	counters_register(&registry, net_counters(lcore_net(s->lcore)));
	return counters_sum(&registry, "net_ip_not_local");
}

struct visit {
	transport_counter_fn fn;
	void *arg;
};

static void visit_counter(
	void *ctx, const char *set, const char *name, const char *help, uint64_t value)
{
	const struct visit *visit = ctx;

	(void)set, (void)help;
	if (value)
		visit->fn(visit->arg, name, value);
}

static void stack_counters(const struct transport *t, transport_counter_fn fn, void *arg)
{
	const struct transport_stack *s = (const struct transport_stack *)t;
	struct counters_registry registry;
	struct visit visit = {fn, arg};

	counters_registry_init(&registry);
	counters_register(&registry, lcore_counters(s->lcore));
	counters_register(&registry, net_counters(lcore_net(s->lcore)));
	counters_register(&registry, tcp_counters(lcore_tcp(s->lcore)));
	counters_each(&registry, visit_counter, &visit);
}

static void stack_free(struct transport *t)
{
	struct transport_stack *s = self_of(t);

	lcore_free(s->lcore);
	if (s->port)
		port_close(s->port);
	if (s->env)
		port_env_fini();
	while (s->spare) {
		struct stack_conn *c = s->spare;

		s->spare = c->next;
		free(c);
	}
	free(s);
}

static const struct transport_ops stack_ops = {
	.connect = stack_connect,
	.poll = stack_poll,
	.next = stack_next,
	.receive = stack_receive,
	.send = stack_send,
	.close = stack_close,
	.abort = stack_abort,
	.flush = stack_flush,
	.flood = stack_flood,
	.flood_answers = stack_flood_answers,
	.counters = stack_counters,
	.free = stack_free,
};

static int set_up_flood(struct transport_stack *s, struct text *why)
{
	const struct load_options *o = s->options;
	struct port_device device;
	int rc = port_device_parse(bytes_str(o->device), &device, why);

	if (rc < 0 || o->flood_rate == 0)
		return rc;
	if (ip_addr_is_v4(&o->server) != ip_addr_is_v4(&o->flood_from.addr)) {
		text_printf(why, "--flood-from is of another family than the server");
		return -EAFNOSUPPORT;
	}
	s->flood.from = o->flood_from;
	s->flood.port = (uint16_t)o->port;
	return device.kind == PORT_MEMIF ? 0 : flood_syn_allowed(why);
}

static int open_port(struct transport_stack *s, struct text *why)
{
	const struct load_options *o = s->options;
	struct port_config config = {
		.device = o->device,
		.queues = 1,
		.packets = (unsigned)(((uint64_t)o->memory_mb << 20) / PACKET_OCTETS / 2),
	};
	int rc = port_env_init(1, o->memory_mb, why);

	if (rc < 0)
		return rc;
	s->env = true;
	rc = port_open(&config, &s->port, why);
	if (rc == 0) {
		s->n_fds = port_fds(s->port, 0, s->fds);
		rc = port_env_register_thread(0);
	}
	return rc;
}

static int make_lcore(struct transport_stack *s)
{
	const struct load_options *o = s->options;
	uint32_t most = o->connections + o->idle + 64;
	struct lcore_config config = {
		.count = 1,
		.net = {.n_addresses = o->n_addresses,
			.gateway4 = o->gateway4,
			.gateway6 = o->gateway6},
		.tcp =
			{
				/* Those that close are still there while new ones open. */
				.max_connections = most * 2,
				.max_half_open = 16,
				.max_time_wait = most < 65536 ? most : 65536,
				.send_block_count = most < 4096 ? 32768 : 65536,
				.receive_bytes_max = o->memory_mb << 18,
				.send_buffer_max = SEND_BUFFER,
				.linger_bytes = 1u << 16,
				.linger_ms = 1000,
				.keepalive_s = 0,
			},
	};

	memcpy(config.net.addresses, o->addresses, sizeof(o->addresses));
	if (getrandom(config.net.hash_key, sizeof(config.net.hash_key), 0) < 0 ||
		getrandom(config.tcp.secret, sizeof(config.tcp.secret), 0) < 0 ||
		getrandom(&config.tcp.seed, sizeof(config.tcp.seed), 0) < 0 ||
		getrandom(&s->flood.random, sizeof(s->flood.random), 0) < 0)
		return -errno;
	return lcore_new(s->port, 0, &config, clock_mono_us(), &s->lcore);
}

_Static_assert(LOAD_MAX_ADDRESSES <= NET_MAX_ADDRESSES, "each address has its place");

int transport_stack_new(
	const struct load_options *options, struct transport **out, struct text *why)
{
	struct transport_stack *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->transport.ops = &stack_ops;
	s->options = options;
	rc = set_up_flood(s, why);
	if (rc == 0)
		rc = open_port(s, why);
	if (rc == 0)
		rc = make_lcore(s);
	if (rc < 0) {
		stack_free(&s->transport);
		return rc;
	}
	*out = &s->transport;
	return 0;
}
