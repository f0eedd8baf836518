/*
 * An echo server on one or more io lcores, for the end-to-end tests of the dataplane: everything
 * that is received comes back, on every port given. Prints "ready" once packets are taken, and
 * ends, with the counters on standard output, when its standard input does.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "dataplane/lcore.h"

#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#define EMPTY_POLLS_BEFORE_SLEEP 32
#define SLEEP_MAX_US             100000u
#define NAP_US                   50
#define NOBODY                   65534
#define WINDOW                   (1u << 18)

struct options {
	struct port_config port;
	struct lcore_config lcore;
	uint16_t ports[8];
	unsigned n_ports;
	bool drop; /* all privileges, before packets are taken */
};

struct thread {
	unsigned index;
	pthread_t id;
	struct lcore *lcore;
	struct doorbell bell;
};

static struct {
	struct options options;
	struct port *port;
	struct lcore_mesh *mesh;
	struct thread threads[PORT_MAX_QUEUES];
	_Atomic bool stop;
} self;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "lcore_echo: %s: %s\n", what, why);
	exit(1);
}

static void parse_address(const char *text, struct options *o)
{
	struct ip_cidr *ours = &o->lcore.net.addresses[o->lcore.net.n_addresses];
	struct bytes b = bytes_str(text), host;

	if (o->lcore.net.n_addresses == NET_MAX_ADDRESSES || ip_cidr_parse(b, false, ours) < 0)
		fail("address", text);
	bytes_split(&b, '/', &host);
	if (ip_addr_parse(host, &ours->addr) < 0)
		fail("address", text);
	o->lcore.net.n_addresses++;
}

static void parse_gateway(const char *text, struct options *o)
{
	struct ip_addr addr;

	if (ip_addr_parse(bytes_str(text), &addr) < 0)
		fail("gateway", text);
	*(ip_addr_is_v4(&addr) ? &o->lcore.net.gateway4 : &o->lcore.net.gateway6) = addr;
}

static void parse_port(const char *text, struct options *o)
{
	uint64_t port;

	if (bytes_to_u64(bytes_str(text), 65535, &port) < 0 ||
		o->n_ports == sizeof(o->ports) / sizeof(o->ports[0]))
		fail("port", text);
	o->ports[o->n_ports++] = (uint16_t)port;
}

static void parse_lcores(const char *text, struct options *o)
{
	uint64_t n;

	if (bytes_to_u64(bytes_str(text), PORT_MAX_QUEUES, &n) < 0 || n == 0)
		fail("lcores", text);
	o->port.queues = o->lcore.count = (unsigned)n;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{"device", required_argument, NULL, 'd'},
		{"address", required_argument, NULL, 'a'},
		{"gateway", required_argument, NULL, 'g'},
		{"port", required_argument, NULL, 'p'},
		{"lcores", required_argument, NULL, 'l'},
		{"drop-privileges", no_argument, NULL, 'u'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'd': o->port.device = optarg; break;
		case 'a': parse_address(optarg, o); break;
		case 'g': parse_gateway(optarg, o); break;
		case 'p': parse_port(optarg, o); break;
		case 'l': parse_lcores(optarg, o); break;
		case 'u': o->drop = true; break;
		default: exit(64);
		}
	}
	if (o->lcore.count == 0)
		parse_lcores("1", o);
	if (!o->port.device)
		fail("--device", "missing");
}

static void configure(struct options *o)
{
	struct tcp_config *tcp = &o->lcore.tcp;

	o->port.packets = 16384;
	o->port.addresses = o->lcore.net.addresses;
	o->port.n_addresses = o->lcore.net.n_addresses;
	o->port.ports = o->ports;
	o->port.n_ports = o->n_ports;
	*tcp = (struct tcp_config){
		.max_connections = 1024,
		.max_half_open = 256,
		.max_time_wait = 1024,
		.send_block_count = 16384,
		.receive_bytes_max = 16u << 20,
		.send_buffer_max = 1u << 20,
		.linger_bytes = 1u << 20,
		.linger_ms = 5000,
		.keepalive_s = 60,
	};
	if (getrandom(o->lcore.net.hash_key, sizeof(o->lcore.net.hash_key), 0) < 0 ||
		getrandom(tcp->secret, sizeof(tcp->secret), 0) < 0 ||
		getrandom(&tcp->seed, sizeof(tcp->seed), 0) < 0)
		fail("getrandom", "no randomness");
}

/* Give back what came; the user pointer remembers that the peer has said it is done. */
static void serve(struct tcp_conn *conn, unsigned ready)
{
	struct bytes run;

	if (ready & (TCP_READY_FAILED | TCP_READY_CLOSED)) {
		tcp_release(conn);
		return;
	}
	if (ready & TCP_READY_PEER_SHUT)
		tcp_set_user(conn, &self);
	while ((run = tcp_peek(conn)).len) {
		uint32_t taken = tcp_send(conn, run);

		if (taken == 0)
			return;
		tcp_consume(conn, taken);
	}
	if (tcp_user(conn))
		tcp_close(conn);
}

static void sleep_until(struct thread *t, const int *fds, unsigned n_fds, uint64_t deadline_us)
{
	struct pollfd polled[PORT_MAX_FDS + 1];
	uint64_t now_us = clock_mono_us(), wait_us = n_fds ? SLEEP_MAX_US : NAP_US;
	struct timespec timeout = {0};

	if (deadline_us <= now_us)
		return;
	if (deadline_us - now_us < wait_us)
		wait_us = deadline_us - now_us;
	timeout.tv_nsec = (long)wait_us * 1000;
	for (unsigned i = 0; i < n_fds; i++)
		polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	polled[n_fds] = (struct pollfd){.fd = doorbell_fd(&t->bell), .events = POLLIN};
	doorbell_prepare(&t->bell);
	if (lcore_has_work(t->lcore)) {
		doorbell_cancel(&t->bell);
		return;
	}
	ppoll(polled, n_fds + 1, &timeout, NULL);
	doorbell_clear(&t->bell);
}

static void *run(void *arg)
{
	struct thread *t = arg;
	int fds[PORT_MAX_FDS];
	unsigned n_fds = port_fds(self.port, t->index, fds), idle = 0, ready;
	struct clock_fast clock;
	struct tcp_conn *conn;

	if (port_env_register_thread(t->index) < 0)
		fail("thread", "cannot be registered");
	clock_fast_init(&clock);
	while (!atomic_load_explicit(&self.stop, memory_order_relaxed)) {
		unsigned work = lcore_receive(t->lcore, clock_fast_us(&clock));

		while ((conn = tcp_next_ready(lcore_tcp(t->lcore), &ready))) {
			serve(conn, ready);
			work++;
		}
		work += lcore_send(t->lcore, clock_fast_us(&clock));
		idle = work ? 0 : idle + 1;
		if (idle > EMPTY_POLLS_BEFORE_SLEEP)
			sleep_until(t, fds, n_fds, lcore_next_deadline_us(t->lcore));
	}
	port_env_unregister_thread();
	return NULL;
}

static bool print_stat(void *arg, const char *name, uint64_t value)
{
	(void)arg;
	printf("port_%s %llu\n", name, (unsigned long long)value);
	return true;
}

static void print_counter(
	void *arg, const char *set, const char *name, const char *help, uint64_t value)
{
	(void)arg, (void)set, (void)help;
	if (value)
		printf("%s %llu\n", name, (unsigned long long)value);
}

static void print_counters(void)
{
	static struct counters_registry registry;

	counters_registry_init(&registry);
	for (unsigned i = 0; i < self.options.lcore.count; i++) {
		struct lcore *lcore = self.threads[i].lcore;

		counters_register(&registry, lcore_counters(lcore));
		counters_register(&registry, net_counters(lcore_net(lcore)));
		counters_register(&registry, tcp_counters(lcore_tcp(lcore)));
	}
	port_stats(self.port, print_stat, NULL);
	counters_each(&registry, print_counter, NULL);
}

static void make_lcore(struct thread *t, unsigned index)
{
	struct lcore_config config = self.options.lcore;

	t->index = config.index = index;
	config.mesh = self.mesh;
	if (doorbell_init(&t->bell) < 0 ||
		lcore_new(self.port, index, &config, clock_mono_us(), &t->lcore) < 0)
		fail("lcore", "no memory");
	if (self.mesh)
		lcore_mesh_set_bell(self.mesh, index, &t->bell);
	for (unsigned i = 0; i < self.options.n_ports; i++) {
		if (tcp_listen(lcore_tcp(t->lcore), self.options.ports[i], WINDOW) < 0)
			fail("listen", "refused");
	}
}

/* As the daemon does; glibc changes the ids of all threads, and their capabilities go with uid 0.
 */
static void drop_privileges(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("privileges", "cannot be dropped");
}

static void start(struct text *why)
{
	unsigned count = self.options.lcore.count;
	uint8_t rss_key[RSS_KEY_LEN];

	if (port_env_init(count, 128, why) < 0)
		fail("environment", text_str(why));
	if (port_open(&self.options.port, &self.port, why) < 0)
		fail("device", text_str(why));
	if (getrandom(rss_key, sizeof(rss_key), 0) < 0 ||
		(count > 1 && lcore_mesh_new(count, rss_key, &self.mesh) < 0))
		fail("mesh", "no memory");
	for (unsigned i = 0; i < count; i++)
		make_lcore(&self.threads[i], i);
	if (self.options.drop)
		drop_privileges();
	for (unsigned i = 0; i < count; i++) {
		if (pthread_create(&self.threads[i].id, NULL, run, &self.threads[i]) != 0)
			fail("thread", "cannot be made");
	}
}

static void stop(void)
{
	unsigned count = self.options.lcore.count;

	atomic_store(&self.stop, true);
	for (unsigned i = 0; i < count; i++)
		pthread_join(self.threads[i].id, NULL);
	print_counters();
	for (unsigned i = 0; i < count; i++) {
		lcore_free(self.threads[i].lcore);
		doorbell_fini(&self.threads[i].bell);
	}
	lcore_mesh_free(self.mesh);
	port_close(self.port);
	port_env_fini();
}

int main(int argc, char **argv)
{
	char why_buf[1024], byte;
	struct text why;

	text_init(&why, why_buf, sizeof(why_buf));
	parse_options(argc, argv, &self.options);
	configure(&self.options);
	start(&why);
	printf("ready %s\n", port_get_info(self.port)->kernel_name);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	stop();
	return 0;
}
