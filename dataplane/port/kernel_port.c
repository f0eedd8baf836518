#include "dataplane/port/kernel_port.h"

#include "base/slab.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_LISTENERS 16
#define EVENTS        64
/* Accepted in one look, so that a flood of connections does not starve those there are. */
#define ACCEPTS 32
/* Received and not yet consumed, for one connection. */
#define RECEIVE_OCTETS 16384
/* In the kernel's buffers, each way. */
#define SOCKET_OCTETS 65536
/* After our FIN: how long the peer may go on, its octets thrown away, so that the last reply
 * survives. */
#define LINGER_US 5000000

enum {
	CONN_EOF = 1 << 0,     /* the peer's FIN was read */
	CONN_FULL = 1 << 1,    /* something may be left in the socket */
	CONN_LINGER = 1 << 2,  /* closed by its user */
	CONN_QUEUED = 1 << 3,  /* in the list of ready ones */
	CONN_BLOCKED = 1 << 4, /* a send took less than asked */
};

struct kernel_conn {
	struct kernel_port *port;
	TAILQ_ENTRY(kernel_conn) ready_link, linger_link;
	void *user;
	uint8_t *received; /* RECEIVE_OCTETS; NULL while nothing is received */
	uint32_t from, len;
	uint32_t ready; /* enum tcp_ready */
	int fd;
	uint8_t flags;
	struct ip_addr peer;
	uint16_t peer_port;
	uint64_t linger_until_us;
};

struct listener {
	int fd;
};

struct kernel_port {
	int epoll;
	struct slab conns, buffers;
	TAILQ_HEAD(, kernel_conn) ready, linger;
	struct listener listeners[MAX_LISTENERS];
	unsigned n_listeners;
	uint64_t now_us;
};

/* --- life ---------------------------------------------------------------------------------------
 */

int kernel_port_new(unsigned max_connections, struct kernel_port **out)
{
	struct kernel_port *port = calloc(1, sizeof(*port));
	int error;

	if (!port)
		return -ENOMEM;
	TAILQ_INIT(&port->ready);
	TAILQ_INIT(&port->linger);
	port->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = port->epoll < 0 ? -errno : 0;
	if (error == 0)
		error = slab_init(&port->conns, sizeof(struct kernel_conn), max_connections);
	if (error == 0)
		error = slab_init(&port->buffers, RECEIVE_OCTETS, max_connections);
	if (error) {
		kernel_port_free(port);
		return error;
	}
	*out = port;
	return 0;
}

void kernel_port_free(struct kernel_port *port)
{
	if (!port)
		return;
	kernel_port_unlisten(port);
	if (port->epoll >= 0)
		close(port->epoll);
	slab_fini(&port->conns);
	slab_fini(&port->buffers);
	free(port);
}

static socklen_t fill_address(
	struct sockaddr_storage *to, const struct ip_addr *addr, uint16_t tcp_port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (ip_addr_is_v4(addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(tcp_port);
		v4->sin_addr.s_addr = htonl(ip_addr_v4_of(addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(tcp_port);
	memcpy(&v6->sin6_addr, addr->octets, sizeof(addr->octets));
	return sizeof(*v6);
}

static int open_listener(const struct ip_addr *addr, uint16_t tcp_port)
{
	struct sockaddr_storage address;
	socklen_t len = fill_address(&address, addr, tcp_port);
	const int one = 1, buffer = SOCKET_OCTETS;
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Inherited by what is accepted: the kernel's own choice grows to megabytes a connection. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int kernel_port_listen(
	struct kernel_port *port, const struct ip_addr *addr, uint16_t tcp_port, struct text *why)
{
	struct listener *listener = &port->listeners[port->n_listeners];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
	char text[IP_ADDR_TEXT_MAX];

	ip_addr_format(addr, text);
	if (port->n_listeners == MAX_LISTENERS) {
		text_printf(why, "kernel: more than %d addresses and ports", MAX_LISTENERS);
		return -ENOSPC;
	}
	listener->fd = open_listener(addr, tcp_port);
	if (listener->fd < 0) {
		text_printf(why, "kernel: cannot listen on %s port %u: %s", text, tcp_port,
			strerror(-listener->fd));
		return listener->fd;
	}
	port->n_listeners++;
	return epoll_ctl(port->epoll, EPOLL_CTL_ADD, listener->fd, &event) == 0 ? 0 : -errno;
}

void kernel_port_unlisten(struct kernel_port *port)
{
	while (port->n_listeners > 0)
		close(port->listeners[--port->n_listeners].fd);
}

int kernel_port_fd(const struct kernel_port *port)
{
	return port->epoll;
}

unsigned kernel_open_connections(const struct kernel_port *port)
{
	return port->conns.in_use;
}

/* --- connections --------------------------------------------------------------------------------
 */

static void add_ready(struct kernel_conn *conn, unsigned what)
{
	if (conn->flags & CONN_LINGER)
		return;
	conn->ready |= what;
	if (conn->flags & CONN_QUEUED)
		return;
	conn->flags |= CONN_QUEUED;
	TAILQ_INSERT_TAIL(&conn->port->ready, conn, ready_link);
}

static void drop_buffer(struct kernel_conn *conn)
{
	if (conn->received)
		slab_put(&conn->port->buffers, conn->received);
	conn->received = NULL;
	conn->from = conn->len = 0;
}

static void conn_free(struct kernel_conn *conn)
{
	struct kernel_port *port = conn->port;

	if (conn->flags & CONN_QUEUED)
		TAILQ_REMOVE(&port->ready, conn, ready_link);
	if (conn->flags & CONN_LINGER)
		TAILQ_REMOVE(&port->linger, conn, linger_link);
	drop_buffer(conn);
	if (conn->fd >= 0)
		close(conn->fd);
	slab_put(&port->conns, conn);
}

static void fail(struct kernel_conn *conn)
{
	if (conn->flags & CONN_LINGER) {
		conn_free(conn);
		return;
	}
	close(conn->fd);
	conn->fd = -1;
	drop_buffer(conn);
	add_ready(conn, TCP_READY_FAILED);
}

static void take_peer(struct kernel_conn *conn, const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET) {
		conn->peer = ip_addr_v4(ntohl(v4->sin_addr.s_addr));
		conn->peer_port = ntohs(v4->sin_port);
	} else {
		conn->peer = ip_addr_v6(v6->sin6_addr.s6_addr);
		conn->peer_port = ntohs(v6->sin6_port);
	}
}

static bool accept_one(struct kernel_port *port, int listener)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	const int one = 1;
	struct kernel_conn *conn;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	conn = slab_get(&port->conns);
	if (!conn) {
		close(fd);
		return true;
	}
	*conn = (struct kernel_conn){.port = port, .fd = fd};
	take_peer(conn, &address);
	event.data.ptr = conn;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(port->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		conn_free(conn);
		return true;
	}
	add_ready(conn, TCP_READY_OPENED);
	return true;
}

/* --- receiving ----------------------------------------------------------------------------------
 */

static void discard(struct kernel_conn *conn)
{
	uint8_t octets[4096];
	ssize_t n;

	while ((n = recv(conn->fd, octets, sizeof(octets), MSG_DONTWAIT)) > 0)
		;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		conn_free(conn);
}

static bool want_buffer(struct kernel_conn *conn)
{
	if (!conn->received)
		conn->received = slab_get(&conn->port->buffers);
	if (conn->from > 0) {
		memmove(conn->received, conn->received + conn->from, conn->len);
		conn->from = 0;
	}
	return conn->received != NULL;
}

static void receive(struct kernel_conn *conn)
{
	ssize_t n = 0;

	if ((conn->flags & CONN_EOF) || conn->fd < 0 || !want_buffer(conn))
		return;
	conn->flags |= CONN_FULL;
	while (conn->len < RECEIVE_OCTETS) {
		n = recv(conn->fd, conn->received + conn->len, RECEIVE_OCTETS - conn->len,
			MSG_DONTWAIT);
		if (n <= 0)
			break;
		conn->len += (uint32_t)n;
		add_ready(conn, TCP_READY_READABLE);
	}
	if (conn->len < RECEIVE_OCTETS)
		conn->flags &= (uint8_t)~CONN_FULL;
	if (conn->len == 0)
		drop_buffer(conn);
	if (n == 0 && conn->len < RECEIVE_OCTETS) {
		conn->flags |= CONN_EOF;
		add_ready(conn, TCP_READY_PEER_SHUT);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		fail(conn);
	}
}

struct bytes kernel_peek(const struct kernel_conn *conn)
{
	return bytes_of(conn->received ? conn->received + conn->from : NULL, conn->len);
}

void kernel_consume(struct kernel_conn *conn, uint32_t n)
{
	conn->from += n;
	conn->len -= n;
	if (conn->len == 0)
		drop_buffer(conn);
	if (conn->flags & CONN_FULL)
		receive(conn);
}

/* --- sending and closing ------------------------------------------------------------------------
 */

uint32_t kernel_send(struct kernel_conn *conn, struct bytes bytes)
{
	ssize_t n = conn->fd >= 0
			    ? send(conn->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL)
			    : 0;

	if (n < (ssize_t)bytes.len)
		conn->flags |= CONN_BLOCKED;
	return n > 0 ? (uint32_t)n : 0;
}

void kernel_set_receive_window(struct kernel_conn *conn, uint32_t octets)
{
	(void)conn, (void)octets; /* the buffer is the bound */
}

void kernel_close(struct kernel_conn *conn)
{
	if (conn->fd < 0 || shutdown(conn->fd, SHUT_WR) != 0) {
		conn_free(conn);
		return;
	}
	if (conn->flags & CONN_QUEUED)
		TAILQ_REMOVE(&conn->port->ready, conn, ready_link);
	conn->flags &= (uint8_t)~CONN_QUEUED;
	drop_buffer(conn);
	conn->flags |= CONN_LINGER;
	conn->linger_until_us = conn->port->now_us + LINGER_US;
	TAILQ_INSERT_TAIL(&conn->port->linger, conn, linger_link);
	discard(conn);
}

void kernel_abort(struct kernel_conn *conn)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (conn->fd >= 0)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	conn_free(conn);
}

void kernel_release(struct kernel_conn *conn)
{
	conn_free(conn);
}

/* --- the look -----------------------------------------------------------------------------------
 */

static bool is_listener(const struct kernel_port *port, const void *at)
{
	return at >= (const void *)port->listeners &&
	       at < (const void *)(port->listeners + MAX_LISTENERS);
}

static void look_at(struct kernel_conn *conn, uint32_t events)
{
	if (conn->flags & CONN_LINGER) {
		discard(conn);
		return;
	}
	if ((events & EPOLLOUT) && (conn->flags & CONN_BLOCKED)) {
		conn->flags &= (uint8_t)~CONN_BLOCKED;
		add_ready(conn, TCP_READY_WRITABLE);
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		receive(conn);
}

static void end_lingerers(struct kernel_port *port)
{
	struct kernel_conn *conn;

	while ((conn = TAILQ_FIRST(&port->linger)) && conn->linger_until_us <= port->now_us)
		conn_free(conn);
}

unsigned kernel_port_poll(struct kernel_port *port, uint64_t now_us)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(port->epoll, events, EVENTS, 0);

	port->now_us = now_us;
	for (int i = 0; i < n; i++) {
		struct listener *listener = events[i].data.ptr;

		if (!is_listener(port, listener))
			look_at(events[i].data.ptr, events[i].events);
		else
			for (unsigned a = 0; a < ACCEPTS && accept_one(port, listener->fd); a++)
				;
	}
	end_lingerers(port);
	return n > 0 ? (unsigned)n : 0;
}

struct kernel_conn *kernel_next_ready(struct kernel_port *port, unsigned *ready)
{
	struct kernel_conn *conn = TAILQ_FIRST(&port->ready);

	if (!conn)
		return NULL;
	TAILQ_REMOVE(&port->ready, conn, ready_link);
	conn->flags &= (uint8_t)~CONN_QUEUED;
	*ready = conn->ready;
	conn->ready = 0;
	return conn;
}

void kernel_peer(const struct kernel_conn *conn, struct ip_addr *addr, uint16_t *port)
{
	*addr = conn->peer;
	*port = conn->peer_port;
}

void kernel_set_user(struct kernel_conn *conn, void *user)
{
	conn->user = user;
}

void *kernel_user(const struct kernel_conn *conn)
{
	return conn->user;
}
