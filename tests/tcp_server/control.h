/* The unix socket: one client at a time, lines in, lines out. */
#pragma once

#include "base/bytes.h"

/* The longest line: a send of 64 KiB in hexadecimal, and some. */
#define CONTROL_LINE_MAX (160u * 1024u)

struct control {
	char path[108];
	int listener, client; /* client -1: none */
	size_t len, used;     /* octets in `in`, and those of the line taken */
	bool overlong;        /* the head of this line was thrown away */
	char in[CONTROL_LINE_MAX];
};

/* 0 or -errno. A socket that a dead server left at `path` is replaced. */
int control_open(struct control *control, const char *path);
void control_close(struct control *control);
/* Takes what has come, and a client where none is. */
void control_poll(struct control *control);
/* The next whole line without its end; good until control_reply(). Where `overlong` only the rest.
 */
bool control_line(struct control *control, struct bytes *line);
/* Answers the line. A client that does not read is dropped. */
void control_reply(struct control *control, struct bytes reply);
/* What to poll for reading. */
int control_fd(const struct control *control);
