/*
 * TLS for connections to a backend, as a transform of octets. Whoever makes the backends brings it:
 * no TLS library is known here.
 */
#pragma once

#include "base/bytes.h"

struct backend_tls {
	void *arg;
	/* A connection's; NULL: no memory. */
	void *(*open)(void *arg);
	void (*close)(void *tls);
	/* What the wire brought. 0 or -errno. */
	int (*feed)(void *tls, struct bytes wire);
	/* Plain octets of it; *len 0: none for now. 0, -EPIPE: the server ended it, or -EPROTO. */
	int (*read)(void *tls, uint8_t *buf, size_t cap, size_t *len);
	/* Plain octets to send: all of them. 0, or -errno: not before is_open(), or it failed. */
	int (*write)(void *tls, struct bytes plain);
	/* The handshake is over, and the server the one it should be. */
	bool (*is_open)(const void *tls);
	/* What is to go to the wire; 0: nothing. */
	size_t (*output)(void *tls, uint8_t *buf, size_t cap);
	/* Nothing more will be said: one more output. */
	void (*bye)(void *tls);
	/* Why it failed. */
	const char *(*failure)(const void *tls);
};
