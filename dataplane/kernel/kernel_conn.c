#include "dataplane/kernel/kernel_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* After our FIN: how long the peer may go on, its octets thrown away, so that the last reply
 * survives. */
#define LINGER_US 5000000
/* Reads of one look at a connection that is closed. */
#define DISCARD_READS 32

void kernel_conn_add_ready(struct kernel_conn *conn, unsigned what)
{
	if (conn->flags & KERNEL_CONN_LINGER)
		return;
	conn->ready |= what;
	if (conn->flags & KERNEL_CONN_QUEUED)
		return;
	conn->flags |= KERNEL_CONN_QUEUED;
	TAILQ_INSERT_TAIL(&conn->port->ready, conn, ready_link);
}

static void drop_buffer(struct kernel_conn *conn)
{
	if (conn->received)
		slab_put(&conn->port->buffers, conn->received);
	conn->received = NULL;
	conn->from = conn->len = 0;
}

void kernel_conn_free(struct kernel_conn *conn)
{
	struct kernel_port *port = conn->port;

	if (conn->flags & KERNEL_CONN_QUEUED)
		TAILQ_REMOVE(&port->ready, conn, ready_link);
	if (conn->flags & KERNEL_CONN_LINGER)
		TAILQ_REMOVE(&port->linger, conn, linger_link);
	drop_buffer(conn);
	if (conn->fd >= 0)
		close(conn->fd);
	slab_put(&port->conns, conn);
}

static void fail(struct kernel_conn *conn)
{
	if (conn->flags & KERNEL_CONN_LINGER) {
		kernel_conn_free(conn);
		return;
	}
	close(conn->fd);
	conn->fd = -1;
	drop_buffer(conn);
	kernel_conn_add_ready(conn, TCP_READY_FAILED);
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

/* Out of what a later try may find again, while the connection waits with the kernel. */
static bool is_short(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

enum kernel_accept kernel_conn_accept(struct kernel_port *port, int listener)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	const int one = 1;
	struct kernel_conn *conn;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return is_short(errno) ? KERNEL_ACCEPT_SHORT : KERNEL_ACCEPT_NONE;
	conn = slab_get(&port->conns);
	if (!conn) {
		counter_inc(&port->counters.v[KERNEL_FULL]);
		close(fd);
		return KERNEL_ACCEPT_ONE;
	}
	*conn = (struct kernel_conn){.port = port, .fd = fd};
	take_peer(conn, &address);
	event.data.ptr = conn;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(port->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		counter_inc(&port->counters.v[KERNEL_FULL]);
		kernel_conn_free(conn);
		return KERNEL_ACCEPT_ONE;
	}
	counter_inc(&port->counters.v[KERNEL_ACCEPTED]);
	kernel_conn_add_ready(conn, TCP_READY_OPENED);
	return KERNEL_ACCEPT_ONE;
}

/* --- receiving --- */

void kernel_conn_discard(struct kernel_conn *conn)
{
	uint8_t octets[4096];
	ssize_t n = sizeof(octets);

	/* What a fast peer sends beyond that waits for its next edge, or for the end of lingering.
	 */
	for (unsigned reads = 0; reads < DISCARD_READS && n > 0; reads++)
		n = recv(conn->fd, octets, sizeof(octets), MSG_DONTWAIT);
	if (n > 0)
		return;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		kernel_conn_free(conn);
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

void kernel_conn_receive(struct kernel_conn *conn)
{
	ssize_t n = 0;

	if ((conn->flags & KERNEL_CONN_EOF) || conn->fd < 0 || !want_buffer(conn))
		return;
	conn->flags |= KERNEL_CONN_FULL;
	while (conn->len < KERNEL_RECEIVE_OCTETS) {
		n = recv(conn->fd, conn->received + conn->len, KERNEL_RECEIVE_OCTETS - conn->len,
			MSG_DONTWAIT);
		if (n <= 0)
			break;
		conn->len += (uint32_t)n;
		kernel_conn_add_ready(conn, TCP_READY_READABLE);
	}
	if (conn->len < KERNEL_RECEIVE_OCTETS)
		conn->flags &= (uint8_t)~KERNEL_CONN_FULL;
	if (conn->len == 0)
		drop_buffer(conn);
	if (n == 0 && conn->len < KERNEL_RECEIVE_OCTETS) {
		conn->flags |= KERNEL_CONN_EOF;
		kernel_conn_add_ready(conn, TCP_READY_PEER_SHUT);
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
	if (conn->flags & KERNEL_CONN_FULL)
		kernel_conn_receive(conn);
}

/* --- sending and closing --- */

uint32_t kernel_send(struct kernel_conn *conn, struct bytes bytes)
{
	ssize_t n = conn->fd >= 0
			    ? send(conn->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL)
			    : 0;

	if (n < (ssize_t)bytes.len)
		conn->flags |= KERNEL_CONN_BLOCKED;
	return n > 0 ? (uint32_t)n : 0;
}

void kernel_set_receive_window(struct kernel_conn *conn, uint32_t octets)
{
	(void)conn, (void)octets; /* the buffer is the bound */
}

void kernel_close(struct kernel_conn *conn)
{
	if (conn->fd < 0 || shutdown(conn->fd, SHUT_WR) != 0) {
		kernel_conn_free(conn);
		return;
	}
	if (conn->flags & KERNEL_CONN_QUEUED)
		TAILQ_REMOVE(&conn->port->ready, conn, ready_link);
	conn->flags &= (uint8_t)~KERNEL_CONN_QUEUED;
	drop_buffer(conn);
	conn->flags |= KERNEL_CONN_LINGER;
	conn->linger_until_us = conn->port->now_us + LINGER_US;
	TAILQ_INSERT_TAIL(&conn->port->linger, conn, linger_link);
	kernel_conn_discard(conn);
}

void kernel_abort(struct kernel_conn *conn)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (conn->fd >= 0)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	kernel_conn_free(conn);
}

void kernel_release(struct kernel_conn *conn)
{
	kernel_conn_free(conn);
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
