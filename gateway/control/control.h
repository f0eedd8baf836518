#pragma once

#include "base/bytes.h"

#include <stdio.h>

/*
 * The control socket: a unix stream socket on which the tool says one line, `COMMAND ARGUMENT...`,
 * and reads the answer until the end. The first word of the answer is "ok" or "error".
 */

#define CONTROL_LINE_MAX      1024
#define CONTROL_ARGUMENTS_MAX 64

struct control_command {
	const char *name;
	/* Writes the answer's body. 0, or -errno, and then what was written says what is wrong. */
	int (*run)(void *daemon, unsigned argc, const char *const *argv, FILE *out);
};

/* Make the socket, mode 0600; one left by a dead daemon is replaced. The descriptor, or -errno. */
int control_listen(const char *path, struct text *why);
/* Serve one client that is waiting. A slow one is given up after two seconds. */
void control_serve(int fd, const struct control_command *commands, unsigned n, void *daemon);

/*
 * The tool's side: say a line and hand every line of the answer to `line` (without its end). 0,
 * -errno where the daemon cannot be reached, -EINVAL where it answered with an error (then `line`
 * got its words).
 */
int control_ask(
	const char *path, const char *say, void (*line)(void *arg, struct bytes text), void *arg);
