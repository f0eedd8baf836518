/*
 * lmtp-sink: an LMTP server that takes every mail and throws it away, so that a gateway can be
 * measured without the store behind it. Ends with SIGTERM or SIGINT, with its counts on standard
 * output as JSON.
 *
 *	lmtp-sink [--no-chunking] [--no-8bitmime] [--no-pipelining] [--size N]
 *unix:PATH|tcp:ADDRESS:PORT
 */
#include "base/ip_addr.h"
#include "bench/sink/sink_session.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024u
#define EVENTS          64
#define RECEIVE_MAX     (256u * 1024)
#define OUT_MAX         (SINK_REPLIES_MAX * 2u)

struct conn {
	int fd;
	struct sink_session session;
	struct text out;
	size_t sent;
	bool waiting; /* for room to send */
	char out_buf[OUT_MAX];
};

static struct {
	struct sink_config config;
	struct sink_counts counts;
	int epoll, listener, signals;
	unsigned open;
	const char *path; /* of the unix socket */
	uint8_t in[RECEIVE_MAX];
} self = {.config = {.chunking = true, .eight_bit = true, .pipelining = true}};

static int fail(const char *what)
{
	fprintf(stderr, "lmtp-sink: %s: %s\n", what, strerror(errno));
	exit(EX_OSERR);
}

static void watch(int fd, uint32_t events, void *ptr, int operation)
{
	struct epoll_event event = {events, {.ptr = ptr}};

	if (epoll_ctl(self.epoll, operation, fd, &event) < 0)
		fail("epoll");
}

static void hang_up(struct conn *c)
{
	close(c->fd);
	free(c);
	if (self.open-- == CONNECTIONS_MAX)
		watch(self.listener, EPOLLIN, &self.listener, EPOLL_CTL_ADD);
}

/* False: the connection is gone. */
static bool flush(struct conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			if (!c->waiting)
				watch(c->fd, EPOLLOUT, c, EPOLL_CTL_MOD);
			c->waiting = true;
			return true;
		}
		if (n < 0) {
			hang_up(c);
			return false;
		}
		c->sent += (size_t)n;
	}
	text_reset(&c->out);
	c->sent = 0;
	if (sink_session_closed(&c->session)) {
		hang_up(c);
		return false;
	}
	if (c->waiting)
		watch(c->fd, EPOLLIN, c, EPOLL_CTL_MOD);
	c->waiting = false;
	return true;
}

/*
 * What is not taken for lack of room for replies would have to be kept; a client that sends so much
 * without reading is given up instead.
 */
static void receive(struct conn *c)
{
	ssize_t n = recv(c->fd, self.in, sizeof(self.in), 0);
	struct bytes input;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	input = bytes_of(self.in, (size_t)n);
	while (input.len && !sink_session_closed(&c->session)) {
		sink_session_input(&c->session, &input, &c->out);
		if (!flush(c))
			return;
		if (c->waiting && input.len) {
			hang_up(c);
			return;
		}
	}
}

static void accept_one(void)
{
	int fd = accept4(self.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;

	if (fd < 0)
		return;
	/* Fails on a unix socket, which needs none. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	c = malloc(sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->sent = 0;
	c->waiting = false;
	text_init(&c->out, c->out_buf, sizeof(c->out_buf));
	sink_session_init(&c->session, &self.config, &self.counts, &c->out);
	watch(fd, EPOLLIN, c, EPOLL_CTL_ADD);
	if (++self.open == CONNECTIONS_MAX) /* the rest waits in the backlog */
		watch(self.listener, 0, &self.listener, EPOLL_CTL_DEL);
	flush(c);
}

static int listen_unix(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	self.path = path;
	/* The gateway may be another user. */
	return chmod(path, 0666) < 0 ? -1 : fd;
}

static int listen_tcp(const char *text)
{
	struct bytes all = bytes_str(text);
	size_t colon = bytes_rfind(all, ':');
	struct sockaddr_in addr = {.sin_family = AF_INET};
	struct ip_addr ip;
	uint64_t port;
	int fd;

	if (colon == BYTES_NPOS || ip_addr_parse_v4(bytes_slice(all, 0, colon), &ip) < 0 ||
		bytes_to_u64(bytes_from(all, colon + 1), 65535, &port) < 0) {
		errno = EINVAL;
		return -1;
	}
	addr.sin_addr.s_addr = htonl(ip_addr_v4_of(&ip));
	addr.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	return fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -1 : fd;
}

static void listen_at(const char *where)
{
	if (strncmp(where, "unix:", 5) == 0)
		self.listener = listen_unix(where + 5);
	else if (strncmp(where, "tcp:", 4) == 0)
		self.listener = listen_tcp(where + 4);
	else
		self.listener = -1, errno = EINVAL;
	if (self.listener < 0 || listen(self.listener, 512) < 0)
		fail(where);
}

static void take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	self.signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (self.signals < 0)
		fail("signalfd");
}

static int usage(void)
{
	fprintf(stderr, "usage: lmtp-sink [--no-chunking] [--no-8bitmime] [--no-pipelining] "
			"[--size N] unix:PATH|tcp:ADDRESS:PORT\n");
	return EX_USAGE;
}

static bool parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"no-chunking", no_argument, NULL, 'c'},
		{"no-8bitmime", no_argument, NULL, '8'},
		{"no-pipelining", no_argument, NULL, 'p'},
		{"size", required_argument, NULL, 's'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'c': self.config.chunking = false; break;
		case '8': self.config.eight_bit = false; break;
		case 'p': self.config.pipelining = false; break;
		case 's':
			if (bytes_to_u64(bytes_str(optarg), UINT32_MAX, &self.config.size) < 0)
				return false;
			break;
		default: return false;
		}
	}
	return argc - optind == 1;
}

static void serve(void)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(self.epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			void *ptr = events[i].data.ptr;

			if (ptr == &self.signals)
				return;
			if (ptr == &self.listener)
				accept_one();
			else if (((struct conn *)ptr)->waiting)
				flush(ptr);
			else
				receive(ptr);
		}
	}
}

int main(int argc, char **argv)
{
	if (!parse_options(argc, argv))
		return usage();
	self.epoll = epoll_create1(EPOLL_CLOEXEC);
	take_signals();
	listen_at(argv[optind]);
	watch(self.signals, EPOLLIN, &self.signals, EPOLL_CTL_ADD);
	watch(self.listener, EPOLLIN, &self.listener, EPOLL_CTL_ADD);
	serve();
	if (self.path)
		unlink(self.path);
	printf("{\"sessions\":%llu,\"mails\":%llu,\"recipients\":%llu,\"octets\":%llu,\"bad\":%llu}"
	       "\n",
		(unsigned long long)self.counts.sessions, (unsigned long long)self.counts.mails,
		(unsigned long long)self.counts.recipients, (unsigned long long)self.counts.octets,
		(unsigned long long)self.counts.bad);
	return 0;
}
