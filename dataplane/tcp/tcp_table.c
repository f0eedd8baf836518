#include "dataplane/tcp/tcp_table_priv.h"

#include "dataplane/tcp/tcp_conn_priv.h"

#include <errno.h>
#include <sys/mman.h>

#define BUCKETS_MIN 64u
#define BUCKETS_MAX (1u << 26)

static size_t buckets_size(uint32_t mask)
{
	return ((size_t)mask + 1) * sizeof(void *);
}

void *tcp_table_map_buckets(unsigned max, uint32_t *mask)
{
	uint32_t n = BUCKETS_MIN;
	void *map;

	while (n < max && n < BUCKETS_MAX)
		n *= 2;
	*mask = n - 1;
	map = mmap(NULL, buckets_size(*mask), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return map == MAP_FAILED ? NULL : map;
}

void tcp_table_unmap_buckets(void *buckets, uint32_t mask)
{
	if (buckets)
		munmap(buckets, buckets_size(mask));
}

int tcp_table_init(struct tcp_table *table, unsigned max)
{
	table->count = 0;
	table->recent = NULL;
	table->buckets = tcp_table_map_buckets(max, &table->mask);
	return table->buckets ? 0 : -ENOMEM;
}

void tcp_table_fini(struct tcp_table *table)
{
	tcp_table_unmap_buckets(table->buckets, table->mask);
	table->buckets = NULL;
}

void tcp_table_insert(struct tcp_table *table, struct tcp_conn *conn)
{
	struct tcp_conn **bucket = &table->buckets[conn->hash & table->mask];

	conn->hash_next = *bucket;
	*bucket = conn;
	table->count++;
}

void tcp_table_remove(struct tcp_table *table, struct tcp_conn *conn)
{
	struct tcp_conn **at = &table->buckets[conn->hash & table->mask];

	if (table->recent == conn)
		table->recent = NULL;
	while (*at && *at != conn)
		at = &(*at)->hash_next;
	if (*at) {
		*at = conn->hash_next;
		table->count--;
	}
}

struct tcp_conn *tcp_table_recent(const struct tcp_table *table, const struct tcp_tuple *tuple)
{
	struct tcp_conn *conn = table->recent;

	return conn && tcp_tuple_eq(&conn->tuple, tuple) ? conn : NULL;
}

struct tcp_conn *tcp_table_find(
	struct tcp_table *table, const struct tcp_tuple *tuple, uint32_t hash)
{
	struct tcp_conn *conn = table->buckets[hash & table->mask];

	while (conn && (conn->hash != hash || !tcp_tuple_eq(&conn->tuple, tuple)))
		conn = conn->hash_next;
	if (conn)
		table->recent = conn;
	return conn;
}
