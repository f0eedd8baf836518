/*
 * Connections under numbers, as a script knows them: what sockets are to a program. All of one
 * lcore.
 */
#pragma once

#include "dataplane/tcp/tcp.h"

#include <sys/queue.h>

#define SOCKETS_MAX 4096u

struct test_socket {
	unsigned id;           /* 0: free */
	struct tcp_conn *conn; /* to be released, if `done` */
	bool opened;
	bool waiting; /* not yet accepted */
	bool shut;    /* the peer's FIN was seen */
	bool done;    /* FAILED or CLOSED was seen */
	TAILQ_ENTRY(test_socket) link;
};

struct sockets {
	struct test_socket table[SOCKETS_MAX]; /* id - 1 is the place */
	unsigned next;                         /* where the next is looked for */
	TAILQ_HEAD(, test_socket) backlog;     /* to be accepted, oldest first */
};

void sockets_init(struct sockets *sockets);
/* NULL where all numbers are taken. */
struct test_socket *sockets_add(struct sockets *sockets, struct tcp_conn *conn);
/* One that was accepted or opened; NULL where there is none of that number. */
struct test_socket *sockets_find(struct sockets *sockets, uint64_t id);
/* The oldest not yet accepted, which is accepted thereby; NULL: none. */
struct test_socket *sockets_accept(struct sockets *sockets);
void sockets_remove(struct sockets *sockets, struct test_socket *socket);
/* What tcp_next_ready() gave. */
void sockets_ready(struct sockets *sockets, struct tcp_conn *conn, unsigned ready);
