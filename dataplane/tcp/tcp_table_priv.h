/* The connections of one stack by their 4-tuple: chained buckets, as many as connections may be. */
#pragma once

#include "dataplane/tcp/tcp_tuple_priv.h"

struct tcp_conn;

struct tcp_table {
	struct tcp_conn **buckets;
	uint32_t mask;
	uint32_t count;
	struct tcp_conn *recent; /* the one found last: segments of a transfer come in runs */
};

/* 0 or -ENOMEM. */
int tcp_table_init(struct tcp_table *table, unsigned max);
void tcp_table_fini(struct tcp_table *table);
/* conn's tuple and hash are set. */
void tcp_table_insert(struct tcp_table *table, struct tcp_conn *conn);
void tcp_table_remove(struct tcp_table *table, struct tcp_conn *conn);
/* The connection found last if this is its name, without hashing. */
struct tcp_conn *tcp_table_recent(const struct tcp_table *table, const struct tcp_tuple *tuple);
struct tcp_conn *tcp_table_find(
	struct tcp_table *table, const struct tcp_tuple *tuple, uint32_t hash);

/* Zeroed memory for a power of two of at least `max` bucket heads, taken as it is touched; NULL if
 * none. */
void *tcp_table_map_buckets(unsigned max, uint32_t *mask);
void tcp_table_unmap_buckets(void *buckets, uint32_t mask);
