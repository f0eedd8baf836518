/* Kernel sockets under edge-triggered epoll: one epoll_ctl() a connection. */
#include "bench/load/flood_raw.h"
#include "bench/load/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
/* Descriptors beside those of the connections. */
#define SPARE_FDS 64
/* Sockets that are bound to a source find their port at connect(), among those free for the peer.
 */
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

struct kernel_conn {
	int fd;
	bool open;
	bool doomed; /* closed while events of this round may still name it */
	void *user;
	struct kernel_conn *next; /* doomed ones */
};

struct transport_kernel {
	struct transport transport;
	const struct load_options *options;
	int epoll;
	unsigned next_source;
	struct epoll_event events[EVENTS];
	int n_events, at;
	struct kernel_conn *doomed;
	struct flood_raw *flood;
};

static struct transport_kernel *self_of(struct transport *t)
{
	return (struct transport_kernel *)t;
}

static socklen_t sockaddr_of(
	const struct ip_addr *addr, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (ip_addr_is_v4(addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = htonl(ip_addr_v4_of(addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, addr->octets, sizeof(addr->octets));
	return sizeof(*v6);
}

static enum load_error error_of(int number)
{
	switch (number) {
	case ECONNREFUSED: return LOAD_REFUSED;
	case ETIMEDOUT: return LOAD_CONNECT_TIMEOUT;
	case ECONNRESET:
	case EPIPE: return LOAD_RESET;
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case EAGAIN: return LOAD_NO_PORT;
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE: return LOAD_NO_MEMORY;
	default: return LOAD_UNREACHABLE;
	}
}

/* The next source address of the server's family; 0 where none was given. */
static int bind_source(struct transport_kernel *k, int fd)
{
	const struct load_options *o = k->options;
	struct sockaddr_storage addr;
	socklen_t len;

	for (unsigned i = 0; i < o->n_sources; i++) {
		const struct ip_addr *source = &o->sources[k->next_source++ % o->n_sources];

		if (ip_addr_is_v4(source) != ip_addr_is_v4(&o->server))
			continue;
		len = sockaddr_of(source, 0, &addr);
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
		return bind(fd, (struct sockaddr *)&addr, len);
	}
	return 0;
}

static int start_connect(struct transport_kernel *k, struct kernel_conn *c)
{
	struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = c}};
	struct sockaddr_storage addr;
	socklen_t len = sockaddr_of(&k->options->server, (uint16_t)k->options->port, &addr);

	if (bind_source(k, c->fd) < 0)
		return -1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(c->fd, (struct sockaddr *)&addr, len) < 0 && errno != EINPROGRESS)
		return -1;
	return epoll_ctl(k->epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static int kernel_connect(struct transport *t, void *user, uint64_t now_us, void **conn)
{
	struct transport_kernel *k = self_of(t);
	struct kernel_conn *c = calloc(1, sizeof(*c));
	int family = ip_addr_is_v4(&k->options->server) ? AF_INET : AF_INET6, rc;

	(void)now_us;
	if (!c)
		return TRANSPORT_FAIL(LOAD_NO_MEMORY);
	c->user = user;
	c->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || start_connect(k, c) < 0) {
		rc = TRANSPORT_FAIL(error_of(errno));
		if (c->fd >= 0)
			close(c->fd);
		free(c);
		return rc;
	}
	*conn = c;
	return 0;
}

static void free_doomed(struct transport_kernel *k)
{
	while (k->doomed) {
		struct kernel_conn *c = k->doomed;

		k->doomed = c->next;
		free(c);
	}
}

static void kernel_poll(struct transport *t, uint64_t now_us, uint64_t deadline_us)
{
	struct transport_kernel *k = self_of(t);
	int wait_ms = 0;

	if (deadline_us > now_us)
		wait_ms = deadline_us - now_us > 1000000 ? 1000
							 : (int)((deadline_us - now_us) / 1000);
	free_doomed(k);
	k->at = 0;
	k->n_events = epoll_wait(k->epoll, k->events, EVENTS, wait_ms);
}

static int socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static bool kernel_next(struct transport *t, struct transport_event *event)
{
	struct transport_kernel *k = self_of(t);

	while (k->at < k->n_events) {
		const struct epoll_event *e = &k->events[k->at++];
		struct kernel_conn *c = e->data.ptr;
		int error;

		if (c->doomed)
			continue;
		*event = (struct transport_event){.user = c->user};
		error = e->events & EPOLLERR ? socket_error(c->fd) : 0;
		if (error) {
			event->what = TRANSPORT_FAILED;
			event->error = error_of(error);
			return true;
		}
		if (!c->open && (e->events & EPOLLOUT)) {
			c->open = true;
			event->what |= TRANSPORT_OPENED;
		}
		if (e->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
			event->what |= TRANSPORT_READABLE;
		if (e->events & EPOLLOUT)
			event->what |= TRANSPORT_WRITABLE;
		return true;
	}
	return false;
}

static long kernel_receive(struct transport *t, void *conn, void *buf, size_t cap)
{
	struct kernel_conn *c = conn;
	ssize_t n = recv(c->fd, buf, cap, 0);

	(void)t;
	if (n > 0)
		return n;
	if (n == 0)
		return TRANSPORT_END;
	return errno == EAGAIN || errno == EINTR ? TRANSPORT_AGAIN : TRANSPORT_LOST;
}

static size_t kernel_send(struct transport *t, void *conn, struct bytes octets)
{
	struct kernel_conn *c = conn;
	ssize_t n = send(c->fd, octets.data, octets.len, MSG_NOSIGNAL);

	(void)t; /* what failed here comes as an event */
	return n < 0 ? 0 : (size_t)n;
}

static void kernel_close(struct transport *t, void *conn)
{
	struct transport_kernel *k = self_of(t);
	struct kernel_conn *c = conn;

	close(c->fd);
	c->doomed = true;
	c->next = k->doomed;
	k->doomed = c;
}

static void kernel_abort(struct transport *t, void *conn)
{
	struct kernel_conn *c = conn;
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	kernel_close(t, conn);
}

static void kernel_flush(struct transport *t, uint64_t now_us)
{
	(void)t, (void)now_us;
}

static unsigned kernel_flood(struct transport *t, unsigned n, uint64_t now_us)
{
	(void)now_us;
	return flood_raw_send(self_of(t)->flood, n);
}

static uint64_t kernel_flood_answers(const struct transport *t)
{
	(void)t;
	return 0; /* the kernel does not tell */
}

static void kernel_counters(const struct transport *t, transport_counter_fn fn, void *arg)
{
	(void)t, (void)fn, (void)arg;
}

static void kernel_free(struct transport *t)
{
	struct transport_kernel *k = self_of(t);

	free_doomed(k);
	flood_raw_free(k->flood);
	close(k->epoll);
	free(k);
}

static const struct transport_ops kernel_ops = {
	.connect = kernel_connect,
	.poll = kernel_poll,
	.next = kernel_next,
	.receive = kernel_receive,
	.send = kernel_send,
	.close = kernel_close,
	.abort = kernel_abort,
	.flush = kernel_flush,
	.flood = kernel_flood,
	.flood_answers = kernel_flood_answers,
	.counters = kernel_counters,
	.free = kernel_free,
};

static int allow_descriptors(const struct load_options *o, struct text *why)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)o->connections + o->idle + SPARE_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur >= wanted)
		return 0;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return 0;
	text_printf(why, "%llu descriptors are needed and not allowed: raise 'ulimit -n'",
		(unsigned long long)wanted);
	return -EMFILE;
}

int transport_kernel_new(
	const struct load_options *options, struct transport **out, struct text *why)
{
	struct transport_kernel *k;
	int rc = allow_descriptors(options, why);

	if (rc < 0)
		return rc;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->transport.ops = &kernel_ops;
	k->options = options;
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	rc = k->epoll < 0 ? -errno : 0;
	if (rc == 0 && options->flood_rate)
		rc = flood_raw_new(options, &k->flood, why);
	if (rc < 0) {
		if (k->epoll >= 0)
			close(k->epoll);
		free(k);
		return rc;
	}
	*out = &k->transport;
	return 0;
}
