/* What names a connection, and the hash of it that the tables of one stack share. */
#pragma once

#include "base/ip_addr.h"
#include "base/siphash.h"

struct tcp_tuple {
	struct ip_addr local, peer;
	uint16_t local_port, peer_port;
};

_Static_assert(sizeof(struct tcp_tuple) == 36, "no padding: tuples are compared as octets");

/* Word by word: a call of memcmp() costs more than the comparison. */
static inline bool tcp_tuple_eq(const struct tcp_tuple *a, const struct tcp_tuple *b)
{
	uint64_t x[4], y[4];

	memcpy(x, &a->local, 32);
	memcpy(y, &b->local, 32);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) |
		       (uint64_t)(a->local_port ^ b->local_port) |
		       (uint64_t)(a->peer_port ^ b->peer_port)) == 0;
}

#define TCP_TUPLE_WORDS 5

static inline void tcp_tuple_words(const struct tcp_tuple *t, uint64_t words[TCP_TUPLE_WORDS])
{
	memcpy(words, t->local.octets, 16);
	memcpy(words + 2, t->peer.octets, 16);
	words[4] = (uint64_t)t->local_port << 16 | t->peer_port;
}

/* Keyed: peers choose their ports, and IPv6 peers much of their address. */
static inline uint32_t tcp_tuple_hash(const struct siphash_key *key, const struct tcp_tuple *t)
{
	uint64_t words[TCP_TUPLE_WORDS];

	tcp_tuple_words(t, words);
	return (uint32_t)siphash_words(key, words, TCP_TUPLE_WORDS);
}
