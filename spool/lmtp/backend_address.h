/* Where a backend listens, from its text. */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"

struct backend_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

/* unix:/path, tcp:HOST:PORT or tcp:[V6]:PORT; looks a host name up. 0 or -errno with the reason. */
int backend_address_parse(const char *text, struct backend_address *out, struct text *why);
