/*
 * The address behind a backend's host name, looked up again and again while connections are made,
 * without waiting for it: what was found serves the connections after that.
 */
#pragma once

#include "spool/lmtp/backend_address.h"

/* A name is asked for at most so often. */
#define BACKEND_LOOKUP_AGE_US 1000000u

struct backend_lookup;

/* For an address that backend_address_parse() took. NULL: it has no host name, or no memory. */
struct backend_lookup *backend_lookup_new(const char *text, uint64_t now_us);
void backend_lookup_free(struct backend_lookup *lookup);
/* Before a connection: changes the address if another was found, and asks again if it is time. */
void backend_lookup_use(
	struct backend_lookup *lookup, uint64_t now_us, struct backend_address *address);
