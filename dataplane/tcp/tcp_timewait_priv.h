/*
 * Connections in TIME-WAIT, as a compact table of their own (RFC 9293 §3.6.1): bounded, the oldest
 * giving way when it is full. A new SYN may take the place of an entry (RFC 6191); the caller
 * decides.
 */
#pragma once

#include "base/slab.h"
#include "dataplane/tcp/tcp_tuple_priv.h"

#define TCP_TIMEWAIT_US 60000000u /* 2 MSL */

struct tcp_timewait_entry {
	struct tcp_timewait_entry *hash_next;
	struct tcp_timewait_entry *older, *newer;
	uint64_t expires_us;
	struct tcp_tuple tuple;
	uint32_t hash;
	uint32_t snd_nxt, rcv_nxt;
	uint32_t ts_recent;
	uint8_t peer_mac[6];
	bool has_ts;
};

_Static_assert(sizeof(struct tcp_timewait_entry) <= 96, "a quarter of a TCB");

struct tcp_timewait {
	struct tcp_timewait_entry **buckets;
	uint32_t mask;
	struct tcp_timewait_entry *oldest, *newest;
	struct slab slab;
};

/* 0, -EINVAL or -ENOMEM. */
int tcp_timewait_init(struct tcp_timewait *tw, unsigned max);
void tcp_timewait_fini(struct tcp_timewait *tw);
/* Room for one more with this name; `evicted` tells whether another had to go. */
struct tcp_timewait_entry *tcp_timewait_add(struct tcp_timewait *tw, const struct tcp_tuple *tuple,
	uint32_t hash, uint64_t now_us, bool *evicted);
struct tcp_timewait_entry *tcp_timewait_find(
	const struct tcp_timewait *tw, const struct tcp_tuple *tuple, uint32_t hash);
/* The wait begins anew (a retransmitted FIN). */
void tcp_timewait_restart(struct tcp_timewait *tw, struct tcp_timewait_entry *e, uint64_t now_us);
void tcp_timewait_remove(struct tcp_timewait *tw, struct tcp_timewait_entry *e);
/* Removes what has expired; returns when the next one does, UINT64_MAX if never. */
uint64_t tcp_timewait_sweep(struct tcp_timewait *tw, uint64_t now_us);
