#include "gateway/policy/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int clients_init(struct clients *clients, uint32_t max, struct siphash_key key)
{
	uint32_t buckets = 1;
	int error;

	memset(clients, 0, sizeof(*clients));
	error = slab_init(&clients->entries, sizeof(struct client), max);
	if (error)
		return error;
	while (buckets < max)
		buckets *= 2;
	clients->key = key;
	clients->mask = buckets - 1;
	clients->buckets = calloc(buckets, sizeof(*clients->buckets));
	return clients->buckets ? 0 : -ENOMEM;
}

void clients_fini(struct clients *clients)
{
	free(clients->buckets);
	clients->buckets = NULL;
	slab_fini(&clients->entries);
}

static struct ip_addr network_of(const struct ip_addr *addr)
{
	struct ip_addr network = *addr;

	if (!ip_addr_is_v4(addr))
		memset(network.octets + 8, 0, 8);
	return network;
}

static struct client **bucket_of(struct clients *clients, const struct ip_addr *network)
{
	uint64_t hash = siphash(&clients->key, network->octets, sizeof(network->octets));

	return &clients->buckets[hash & clients->mask];
}

struct client *clients_enter(struct clients *clients, const struct ip_addr *addr, uint32_t limit)
{
	struct ip_addr network = network_of(addr);
	struct client **bucket = bucket_of(clients, &network);
	struct client *client = *bucket;

	while (client && !ip_addr_eq(&client->network, &network))
		client = client->next;
	if (!client) {
		client = slab_get(&clients->entries);
		if (!client)
			return NULL;
		*client = (struct client){.next = *bucket, .network = network};
		*bucket = client;
	}
	if (limit > 0 && client->connections >= limit)
		return NULL;
	client->connections++;
	return client;
}

void clients_leave(struct clients *clients, struct client *client)
{
	struct client **link;

	if (!client || --client->connections > 0)
		return;
	link = bucket_of(clients, &client->network);
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	slab_put(&clients->entries, client);
}
