/* The commands of docs/tcp-server.md. */
#pragma once

#include "dataplane/lcore.h"
#include "tests/tcp_server/sockets.h"
#include "tests/tcp_server/test_clock.h"

/* Most octets that one send or recv carries. */
#define COMMAND_OCTETS_MAX 65536u
#define COMMAND_REPLY_MAX  (2u * COMMAND_OCTETS_MAX + 256u)

struct command_host {
	struct lcore *lcore;
	struct sockets *sockets;
	struct test_clock *clock;
	/* Receive, serve, send, once, at the clock's time. */
	void (*round)(struct command_host *host);
	bool quit;
};

/* The reply of a line that cannot be run at all. */
void command_refuse(int error, struct text *reply);
/*
 * Runs one line, and writes the reply with its line end. False: what it waits for has not come; run
 * it again after a poll round. `waited_ms` is how long that has gone on: a command gives up at the
 * time that its line says.
 */
bool command_run(
	struct command_host *host, struct bytes line, uint64_t waited_ms, struct text *reply);
