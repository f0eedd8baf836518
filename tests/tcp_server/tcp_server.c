/*
 * The gateway's TCP as a socket server for conformance tests: one io lcore on a device, under text
 * commands on a unix socket (docs/tcp-server.md). Prints "ready" and the kernel's name of the
 * device, and runs until `quit`, SIGTERM or SIGINT.
 */
#include "base/clock.h"
#include "tests/tcp_server/command.h"
#include "tests/tcp_server/control.h"
#include "tests/tcp_server/options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MB    128u
#define SLEEP_MAX_US 10000u /* a command may wait for as little as that */
#define NAP_US       50u    /* where the device has no descriptor */

struct server {
	struct command_host host;
	struct options options;
	struct port *port;
	struct lcore *lcore;
	struct test_clock clock;
	struct sockets sockets;
	struct control control;
	uint64_t waiting_since_us; /* the line that waits; 0: none does */
	char reply[COMMAND_REPLY_MAX];
};

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "tcp-server: %s: %s\n", what, why);
	exit(EX_UNAVAILABLE);
}

static unsigned receive(struct server *s)
{
	unsigned work = lcore_receive(s->lcore, test_clock_us(&s->clock)), ready;
	struct tcp_conn *conn;

	while ((conn = tcp_next_ready(lcore_tcp(s->lcore), &ready))) {
		sockets_ready(&s->sockets, conn, ready);
		work++;
	}
	return work;
}

static void host_round(struct command_host *host)
{
	struct server *s = (struct server *)host;

	receive(s);
	lcore_send(s->lcore, test_clock_us(&s->clock));
}

/* Runs lines as long as they answer at once. */
static unsigned obey(struct server *s)
{
	unsigned done = 0;
	struct bytes line;
	struct text reply;

	text_init(&reply, s->reply, sizeof(s->reply));
	control_poll(&s->control);
	while (!s->host.quit && control_line(&s->control, &line)) {
		uint64_t now_us = clock_mono_us();

		if (s->waiting_since_us == 0)
			s->waiting_since_us = now_us;
		if (s->control.overlong)
			command_refuse(EMSGSIZE, &reply);
		else if (!command_run(
				 &s->host, line, (now_us - s->waiting_since_us) / 1000, &reply))
			return done;
		s->waiting_since_us = 0;
		/* What the command did is on the wire before its reply. */
		lcore_send(s->lcore, test_clock_us(&s->clock));
		control_reply(&s->control, text_bytes(&reply));
		done++;
	}
	if (s->control.len == 0)
		s->waiting_since_us = 0; /* whoever waited has gone */
	return done;
}

static void sleep_until_work(const struct server *s, const int *fds, unsigned n_fds)
{
	uint64_t now_us = test_clock_us(&s->clock), next_us = lcore_next_deadline_us(s->lcore),
		 wait_us = n_fds ? SLEEP_MAX_US : NAP_US;
	struct pollfd polled[PORT_MAX_FDS + 1];
	struct timespec timeout = {0};

	if (!s->clock.held && next_us < now_us + wait_us)
		wait_us = next_us > now_us ? next_us - now_us : 0;
	for (unsigned i = 0; i < n_fds; i++)
		polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	/* A line that waits must not be woken by its successors. */
	polled[n_fds] = (struct pollfd){
		.fd = s->waiting_since_us ? -1 : control_fd(&s->control), .events = POLLIN};
	timeout.tv_nsec = (long)wait_us * 1000;
	ppoll(polled, n_fds + 1, &timeout, NULL);
}

static void serve(struct server *s)
{
	int fds[PORT_MAX_FDS];
	unsigned n_fds = port_fds(s->port, 0, fds);

	while (!ended && !s->host.quit) {
		unsigned work = receive(s);

		work += lcore_send(s->lcore, test_clock_us(&s->clock));
		work += obey(s);
		if (work == 0)
			sleep_until_work(s, fds, n_fds);
	}
}

static void start(struct server *s)
{
	struct options *o = &s->options;
	char why_buf[1024];
	struct text why;
	int rc;

	text_init(&why, why_buf, sizeof(why_buf));
	if (port_env_init(1, MEMORY_MB, &why) < 0)
		fail("environment", text_str(&why));
	o->port.addresses = o->lcore.net.addresses;
	o->port.n_addresses = o->lcore.net.n_addresses;
	if (port_open(&o->port, &s->port, &why) < 0)
		fail(o->port.device, text_str(&why));
	if (port_env_register_thread(0) < 0)
		fail("thread", "cannot be registered");
	sockets_init(&s->sockets);
	rc = lcore_new(s->port, 0, &o->lcore, test_clock_us(&s->clock), &s->lcore);
	if (rc < 0)
		fail("stack", strerror(-rc));
	rc = control_open(&s->control, o->control);
	if (rc < 0)
		fail(o->control, strerror(-rc));
	s->host = (struct command_host){s->lcore, &s->sockets, &s->clock, host_round, false};
}

static void stop(struct server *s)
{
	control_close(&s->control);
	lcore_free(s->lcore);
	port_env_unregister_thread();
	port_close(s->port);
	port_env_fini();
}

int main(int argc, char **argv)
{
	static struct server server;
	struct sigaction action = {.sa_handler = end};

	options_parse(argc, argv, &server.options);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	start(&server);
	printf("ready %s\n", port_get_info(server.port)->kernel_name);
	fflush(stdout);
	serve(&server);
	stop(&server);
	return 0;
}
