/*
 * tcp-rx and tcp-conn: what our TCP costs an io lcore, beside the kernel's. Two stacks are joined
 * by memif in one process and take turns on one thread: the generator puts a burst on the ring,
 * then the lcore under test polls until it finds nothing, and only that is timed, copying what it
 * received out of the packets as recv() does. Cycles are told in CPU time.
 */
#include "base/clock.h"
#include "bench/micro.h"
#include "bench/micro_tcp_kernel.h"
#include "bench/micro_tcp_smtp.h"
#include "dataplane/lcore.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MB     192u
#define PACKETS       16384u
#define PORT          2525
#define SERVER        0x0a5b0001u /* 10.91.0.1 */
#define CLIENT        0x0a5b0002u
#define WINDOW        (1u << 20)
#define SEND_BUFFER   (4u << 20)
#define BLOCK         65536u
#define TURN_ROUNDS   8u
#define START_ROUNDS  2000000u /* until the two have found each other */
#define LOOPBACK_RUNS 100u
#define TURN_MS       60

struct side {
	struct port *port;
	struct lcore *lcore;
};

struct tcp_micro {
	bool smtp;
	struct kernel_tcp *kernel;
	struct side server, client;
	struct clock_fast clock;
	struct tcp_conn *bulk; /* the generator's */
	unsigned asking;       /* connections that the generator has open */
	double busy_ns;        /* of the server's polls */
	double client_ns;
	uint64_t units, client_units;
	bool env;
	char dir[32]; /* of memif's socket; empty: not made */
};

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- the server: what is measured --- */

static void take_octets(struct tcp_micro *m, struct tcp_conn *conn)
{
	static uint8_t block[BLOCK];
	static size_t at;
	struct bytes run;

	while ((run = tcp_peek(conn)).len > 0) {
		if (at + run.len > sizeof(block))
			at = 0;
		memcpy(block + at, run.data, run.len);
		at += run.len;
		m->units += run.len;
		tcp_consume(conn, (uint32_t)run.len);
	}
}

static void respond(struct tcp_micro *m, struct tcp_conn *conn, unsigned ready)
{
	struct bytes run;

	if (ready & TCP_READY_OPENED)
		tcp_send(conn, BYTES(SMTP_GREETING));
	run = tcp_peek(conn);
	if (run.len > 0 && smtp_is_quit(run.data, run.len)) {
		tcp_consume(conn, (uint32_t)run.len);
		tcp_send(conn, BYTES(SMTP_BYE));
		tcp_close(conn);
		m->units++;
	}
}

static unsigned server_round(struct tcp_micro *m)
{
	uint64_t now_us = clock_fast_us(&m->clock);
	unsigned work = lcore_receive(m->server.lcore, now_us), ready;
	struct tcp_conn *conn;

	while ((conn = tcp_next_ready(lcore_tcp(m->server.lcore), &ready))) {
		if (ready & (TCP_READY_FAILED | TCP_READY_CLOSED))
			tcp_release(conn);
		else if (m->smtp)
			respond(m, conn, ready);
		else
			take_octets(m, conn);
	}
	return work + lcore_send(m->server.lcore, now_us);
}

static void server_turn(struct tcp_micro *m)
{
	double before = cpu_ns();

	while (server_round(m))
		;
	m->busy_ns += cpu_ns() - before;
}

/* --- the generator --- */

static void ask(struct tcp_micro *m, uint64_t now_us)
{
	const struct ip_addr server = ip_addr_v4(SERVER);
	struct tcp_conn *conn;

	while (m->asking < SMTP_AT_ONCE &&
		tcp_connect(lcore_tcp(m->client.lcore), &server, PORT, WINDOW, now_us, &conn) == 0)
		m->asking++;
}

static void client_event(struct tcp_micro *m, struct tcp_conn *conn, unsigned ready)
{
	struct bytes run;

	while ((run = tcp_peek(conn)).len > 0) {
		if (run.len == strlen(SMTP_GREETING))
			tcp_send(conn, BYTES(SMTP_QUIT));
		tcp_consume(conn, (uint32_t)run.len);
	}
	if (ready & (TCP_READY_FAILED | TCP_READY_CLOSED))
		tcp_release(conn);
	else if (ready & TCP_READY_PEER_SHUT)
		tcp_close(conn);
	else
		return;
	m->asking--;
	m->client_units++;
}

static void client_round(struct tcp_micro *m)
{
	static const uint8_t block[BLOCK];
	uint64_t now_us = clock_fast_us(&m->clock);
	struct tcp_conn *conn;
	unsigned ready;

	while (lcore_receive(m->client.lcore, now_us) > 0)
		;
	while ((conn = tcp_next_ready(lcore_tcp(m->client.lcore), &ready)))
		if (m->smtp)
			client_event(m, conn, ready);
	if (m->smtp)
		ask(m, now_us);
	else
		while (tcp_send(m->bulk, bytes_of(block, sizeof(block))) == sizeof(block))
			m->client_units += sizeof(block);
	lcore_send(m->client.lcore, now_us);
}

static void client_turn(struct tcp_micro *m)
{
	double before = cpu_ns();

	client_round(m);
	m->client_ns += cpu_ns() - before;
}

/* --- setting it up --- */

static struct lcore_config config_of(uint32_t address, const uint8_t seed)
{
	struct lcore_config config = {
		.count = 1,
		.net = {.n_addresses = 1, .hash_key = {seed, 7}},
		.tcp =
			{
				.max_connections = 4096,
				.max_half_open = 4096,
				.max_time_wait = 65536,
				.send_block_count = 2 * SEND_BUFFER / TCP_SEND_BLOCK_OCTETS,
				.receive_bytes_max = 32u << 20,
				.send_buffer_max = SEND_BUFFER,
				.linger_bytes = 1u << 16,
				.linger_ms = 1000,
				.secret = {seed, 1, 2, 3},
				.seed = seed,
			},
	};

	config.net.addresses[0] = (struct ip_cidr){.addr = ip_addr_v4(address)};
	config.net.addresses[0].prefix_len = 96 + 24;
	return config;
}

static bool open_side(struct tcp_micro *m, struct side *side, const char *role, uint32_t address)
{
	struct lcore_config config = config_of(address, (uint8_t)address);
	char device[128], why_buf[512];
	struct port_config port = {.device = device, .queues = 1, .packets = PACKETS};
	struct text why;

	text_init(&why, why_buf, sizeof(why_buf));
	snprintf(device, sizeof(device), "memif:%s,%s/memif.sock", role, m->dir);
	if (!m->env && port_env_init(1, MEMORY_MB, &why) == 0)
		m->env = port_env_register_thread(0) == 0;
	if (!m->env || port_open(&port, &side->port, &why) < 0 ||
		lcore_new(side->port, 0, &config, clock_fast_us(&m->clock), &side->lcore) < 0) {
		fprintf(stderr, "postern-micro: %s: %s\n", device, text_str(&why));
		return false;
	}
	return true;
}

/* Until the first octet or connection has come through. */
static bool begin(struct tcp_micro *m)
{
	const struct ip_addr server = ip_addr_v4(SERVER);

	if (tcp_listen(lcore_tcp(m->server.lcore), PORT, WINDOW) < 0)
		return false;
	if (!m->smtp && tcp_connect(lcore_tcp(m->client.lcore), &server, PORT, WINDOW,
				clock_fast_us(&m->clock), &m->bulk) < 0)
		return false;
	for (unsigned i = 0; i < START_ROUNDS && m->units == 0; i++) {
		client_round(m);
		server_turn(m);
	}
	if (m->units == 0)
		fprintf(stderr, "postern-micro: nothing comes through memif\n");
	return m->units > 0;
}

static void close_side(struct side *side)
{
	lcore_free(side->lcore);
	if (side->port)
		port_close(side->port);
}

static void teardown(void *state)
{
	struct tcp_micro *m = state;

	if (m->client_ns > 0)
		fprintf(stderr, "the generator's own ceiling: %.4g %s a second of CPU\n",
			(double)m->client_units * 1e9 / m->client_ns,
			m->smtp ? "connections" : "octets");
	close_side(&m->client);
	close_side(&m->server);
	if (m->dir[0])
		rmdir(m->dir);
	if (m->env) {
		port_env_unregister_thread();
		port_env_fini();
	}
	if (m->kernel)
		kernel_tcp_free(m->kernel);
	free(m);
}

/* Printed only: its softirqs run in the sender, and its segments are up to 64 KiB. */
static bool print_loopback(enum kernel_tcp_work work)
{
	struct kernel_tcp *k = kernel_tcp_new(work, true);
	double before;
	uint64_t units = 0;

	if (!k)
		return false;
	before = kernel_tcp_ns(k);
	for (unsigned i = 0; i < LOOPBACK_RUNS; i++)
		units += kernel_tcp_work(k);
	fprintf(stderr,
		"kernel over loopback, the receiving thread alone: %.4g %s a second of CPU\n",
		(double)units * 1e9 / (kernel_tcp_ns(k) - before),
		work == KERNEL_TCP_BULK ? "octets" : "connections");
	kernel_tcp_free(k);
	return true;
}

/* Nobody else's: a name in a folder that all write to could be taken before. */
static bool make_dir(struct tcp_micro *m)
{
	char dir[] = "/tmp/postern-micro.XXXXXX";

	_Static_assert(sizeof(dir) <= sizeof(m->dir), "the name fits");
	if (!mkdtemp(dir))
		return false;
	memcpy(m->dir, dir, sizeof(dir));
	return true;
}

/* The kernel's side first: it forks, and DPDK makes threads. */
static void *setup(const struct micro *micro)
{
	struct tcp_micro *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->smtp = micro->size == KERNEL_TCP_SMTP;
	clock_fast_init(&m->clock);
	if (print_loopback((enum kernel_tcp_work)micro->size) &&
		(m->kernel = kernel_tcp_new((enum kernel_tcp_work)micro->size, false)) &&
		make_dir(m) && open_side(m, &m->server, "server", SERVER) &&
		open_side(m, &m->client, "client", CLIENT) && begin(m))
		return m;
	teardown(m);
	return NULL;
}

/* --- the turns --- */

static uint64_t ours(void *state)
{
	struct tcp_micro *m = state;
	uint64_t before = m->units;

	for (unsigned i = 0; i < TURN_ROUNDS; i++) {
		client_turn(m);
		server_turn(m);
	}
	return m->units - before;
}

static double ours_ns(void *state)
{
	return ((struct tcp_micro *)state)->busy_ns;
}

static uint64_t reference(void *state)
{
	return kernel_tcp_work(((struct tcp_micro *)state)->kernel);
}

static double reference_ns(void *state)
{
	return kernel_tcp_ns(((struct tcp_micro *)state)->kernel);
}

#define TCP_MICRO(id, NAME, UNIT, WORK)                                                            \
	const struct micro id = {                                                                  \
		.name = NAME,                                                                      \
		.unit = UNIT,                                                                      \
		.setup = setup,                                                                    \
		.ours = ours,                                                                      \
		.reference = reference,                                                            \
		.ours_ns = ours_ns,                                                                \
		.reference_ns = reference_ns,                                                      \
		.teardown = teardown,                                                              \
		.size = WORK,                                                                      \
		.turn_ms = TURN_MS,                                                                \
	}

TCP_MICRO(micro_tcp_rx, "tcp-rx", "octets/s of CPU", KERNEL_TCP_BULK);
TCP_MICRO(micro_tcp_conn, "tcp-conn", "connections/s of CPU", KERNEL_TCP_SMTP);
