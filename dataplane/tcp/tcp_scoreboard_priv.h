/*
 * What the peer has told by SACK to hold beyond its cumulative acknowledgement (RFC 2018, 6675 §4),
 * as ranges in order. Bounded: what does not fit is forgotten, which costs a retransmission at
 * worst.
 */
#pragma once

#include "dataplane/tcp/tcp_wire.h"

#define TCP_SCOREBOARD_RANGES 31u

struct tcp_scoreboard {
	uint32_t count;
	uint32_t octets; /* in all ranges */
	struct tcp_range ranges[TCP_SCOREBOARD_RANGES];
};

_Static_assert(sizeof(struct tcp_scoreboard) == 256, "four cache lines");

void tcp_scoreboard_init(struct tcp_scoreboard *s);
/* Adds a block; true if it told anything new. A block that finds no room is left out. */
bool tcp_scoreboard_add(struct tcp_scoreboard *s, struct tcp_range block);
/* Everything before `una` is acknowledged. */
void tcp_scoreboard_advance(struct tcp_scoreboard *s, uint32_t una);
/* Octets of [from, to) that are held by the peer. */
uint32_t tcp_scoreboard_within(const struct tcp_scoreboard *s, uint32_t from, uint32_t to);
/* The first hole at or behind `from` and before `limit`; false if there is none. */
bool tcp_scoreboard_hole(
	const struct tcp_scoreboard *s, uint32_t from, uint32_t limit, struct tcp_range *hole);
/*
 * Whatever is not held before this number counts as lost: at least three ranges, or more than two
 * segments of `mss`, are held above it (IsLost of RFC 6675). `una` where nothing is lost.
 */
uint32_t tcp_scoreboard_lost_edge(const struct tcp_scoreboard *s, uint32_t una, uint32_t mss);
