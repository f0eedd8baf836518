#include "tests/tcp_server/sockets.h"

void sockets_init(struct sockets *sockets)
{
	memset(sockets, 0, sizeof(*sockets));
	TAILQ_INIT(&sockets->backlog);
}

struct test_socket *sockets_add(struct sockets *sockets, struct tcp_conn *conn)
{
	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		unsigned place = (sockets->next + i) % SOCKETS_MAX;
		struct test_socket *socket = &sockets->table[place];

		if (socket->id)
			continue;
		*socket = (struct test_socket){.id = place + 1, .conn = conn};
		sockets->next = place + 1;
		tcp_set_user(conn, socket);
		return socket;
	}
	return NULL;
}

struct test_socket *sockets_find(struct sockets *sockets, uint64_t id)
{
	struct test_socket *socket;

	if (id == 0 || id > SOCKETS_MAX)
		return NULL;
	socket = &sockets->table[id - 1];
	return socket->id && !socket->waiting ? socket : NULL;
}

struct test_socket *sockets_accept(struct sockets *sockets)
{
	struct test_socket *socket = TAILQ_FIRST(&sockets->backlog);

	if (socket) {
		TAILQ_REMOVE(&sockets->backlog, socket, link);
		socket->waiting = false;
	}
	return socket;
}

void sockets_remove(struct sockets *sockets, struct test_socket *socket)
{
	if (socket->waiting)
		TAILQ_REMOVE(&sockets->backlog, socket, link);
	socket->id = 0;
}

static struct test_socket *arrive(struct sockets *sockets, struct tcp_conn *conn)
{
	struct test_socket *socket = sockets_add(sockets, conn);

	if (!socket) {
		tcp_abort(conn);
		return NULL;
	}
	socket->waiting = true;
	TAILQ_INSERT_TAIL(&sockets->backlog, socket, link);
	return socket;
}

void sockets_ready(struct sockets *sockets, struct tcp_conn *conn, unsigned ready)
{
	struct test_socket *socket = tcp_user(conn);

	if (!socket)
		socket = arrive(sockets, conn);
	if (!socket)
		return;
	if (ready & TCP_READY_OPENED)
		socket->opened = true;
	if (ready & (TCP_READY_PEER_SHUT | TCP_READY_CLOSED))
		socket->shut = true;
	if (ready & (TCP_READY_FAILED | TCP_READY_CLOSED))
		socket->done = true;
}
