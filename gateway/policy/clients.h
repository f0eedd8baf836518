#pragma once

#include "base/ip_addr.h"
#include "base/siphash.h"
#include "base/slab.h"

/*
 * How many connections each client has open. An IPv6 client is its /64: whoever has one address of
 * it can have them all. Bounded, for one thread.
 */
struct client {
	struct client *next; /* in its bucket */
	struct ip_addr network;
	uint32_t connections;
};

struct clients {
	struct slab entries;
	struct client **buckets;
	uint32_t mask;
	struct siphash_key key;
};

/* Room for `max` clients. 0, -EINVAL or -ENOMEM. */
int clients_init(struct clients *clients, uint32_t max, struct siphash_key key);
void clients_fini(struct clients *clients);

/* One more connection of `addr`, or NULL where it has `limit` already (0: no limit). */
struct client *clients_enter(struct clients *clients, const struct ip_addr *addr, uint32_t limit);
/* One of its connections has ended. NULL does nothing. */
void clients_leave(struct clients *clients, struct client *client);
