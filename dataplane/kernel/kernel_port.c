#include "dataplane/kernel/kernel_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 64
/* Accepted in one look, so that a flood of connections does not starve those there are. */
#define ACCEPTS 32
/* Where there is no descriptor left the listeners would have us awake for nothing. */
#define DEAF_US 100000

COUNTERS_DEFINE(kernel, KERNEL_COUNTERS)

int kernel_port_new(unsigned max_connections, struct kernel_port **out)
{
	struct kernel_port *port = calloc(1, sizeof(*port));
	int error;

	if (!port)
		return -ENOMEM;
	TAILQ_INIT(&port->ready);
	TAILQ_INIT(&port->linger);
	kernel_counters_init(&port->counters);
	port->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = port->epoll < 0 ? -errno : 0;
	if (error == 0)
		error = slab_init(&port->conns, sizeof(struct kernel_conn), max_connections);
	if (error == 0)
		error = slab_init(&port->buffers, KERNEL_RECEIVE_OCTETS, max_connections);
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

int kernel_port_fd(const struct kernel_port *port)
{
	return port->epoll;
}

const struct counter_block *kernel_port_counters(const struct kernel_port *port)
{
	return &port->counters.block;
}

unsigned kernel_open_connections(const struct kernel_port *port)
{
	return port->conns.in_use;
}

static bool is_listener(const struct kernel_port *port, const void *at)
{
	return at >= (const void *)port->listeners &&
	       at < (const void *)(port->listeners + KERNEL_MAX_LISTENERS);
}

static void look_at(struct kernel_conn *conn, uint32_t events)
{
	if (conn->flags & KERNEL_CONN_LINGER) {
		kernel_conn_discard(conn);
		return;
	}
	if ((events & EPOLLOUT) && (conn->flags & KERNEL_CONN_BLOCKED)) {
		conn->flags &= (uint8_t)~KERNEL_CONN_BLOCKED;
		kernel_conn_add_ready(conn, TCP_READY_WRITABLE);
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		kernel_conn_receive(conn);
}

static void end_lingerers(struct kernel_port *port)
{
	struct kernel_conn *conn;

	while ((conn = TAILQ_FIRST(&port->linger)) && conn->linger_until_us <= port->now_us)
		kernel_conn_free(conn);
}

static void accept_waiting(struct kernel_port *port, const struct kernel_listener *listener)
{
	enum kernel_accept got = KERNEL_ACCEPT_ONE;

	for (unsigned n = 0; n < ACCEPTS && got == KERNEL_ACCEPT_ONE; n++)
		got = kernel_conn_accept(port, listener->fd);
	if (got != KERNEL_ACCEPT_SHORT || port->deaf_until_us)
		return;
	counter_inc(&port->counters.v[KERNEL_SHORT]);
	port->deaf_until_us = port->now_us + DEAF_US;
	kernel_listen_hear(port, false);
}

unsigned kernel_port_poll(struct kernel_port *port, uint64_t now_us)
{
	struct epoll_event events[EVENTS];
	int n;

	port->now_us = now_us;
	if (port->deaf_until_us && port->deaf_until_us <= now_us) {
		port->deaf_until_us = 0;
		kernel_listen_hear(port, true);
	}
	n = epoll_wait(port->epoll, events, EVENTS, 0);
	for (int i = 0; i < n; i++) {
		struct kernel_listener *listener = events[i].data.ptr;

		if (!is_listener(port, listener))
			look_at(events[i].data.ptr, events[i].events);
		else
			accept_waiting(port, listener);
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
	conn->flags &= (uint8_t)~KERNEL_CONN_QUEUED;
	*ready = conn->ready;
	conn->ready = 0;
	return conn;
}
