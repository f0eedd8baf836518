#include "dataplane/kernel/kernel_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* In the kernel's buffers, each way. */
#define SOCKET_OCTETS 65536

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
	/* Inherited by what is accepted: the kernel's own choice grows to megabytes a connection.
	 */
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
	struct kernel_listener *listener = &port->listeners[port->n_listeners];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
	char text[IP_ADDR_TEXT_MAX];

	ip_addr_format(addr, text);
	if (port->n_listeners == KERNEL_MAX_LISTENERS) {
		text_printf(why, "kernel: more than %d addresses and ports", KERNEL_MAX_LISTENERS);
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

void kernel_listen_hear(struct kernel_port *port, bool hear)
{
	for (unsigned i = 0; i < port->n_listeners; i++) {
		struct epoll_event event = {
			.events = hear ? EPOLLIN : 0, .data.ptr = &port->listeners[i]};

		(void)epoll_ctl(port->epoll, EPOLL_CTL_MOD, port->listeners[i].fd, &event);
	}
}

void kernel_port_unlisten(struct kernel_port *port)
{
	while (port->n_listeners > 0)
		close(port->listeners[--port->n_listeners].fd);
}
