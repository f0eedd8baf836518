/*
 * Segments that came before their turn, kept as ranges of the sequence space that neither touch nor
 * overlap. Bounded in ranges; the furthest range gives way first, since the peer will need longest
 * to get there. Also remembers which ranges changed last, for SACK (RFC 2018 §4).
 */
#pragma once

#include "dataplane/pkt.h"
#include "dataplane/tcp/tcp_wire.h"

#define TCP_REASM_RANGES  31u
#define TCP_REASM_HISTORY 4u
/* Payloads up to this are copied behind the one before them where its buffer has room. */
#define TCP_REASM_COPY_MAX 512u

struct tcp_reasm_range {
	uint32_t start, end;
	struct pkt *head, *tail; /* in order; each packet's data is payload only */
};

struct tcp_reasm {
	uint32_t true_size; /* of all packets held */
	uint32_t count;
	uint32_t history[TCP_REASM_HISTORY]; /* a sequence number within the ranges last touched */
	uint32_t history_count;
	struct tcp_reasm_range ranges[TCP_REASM_RANGES];
};

enum tcp_reasm_result {
	TCP_REASM_STORED,
	TCP_REASM_DUPLICATE, /* nothing new in it: the packet is freed */
	TCP_REASM_FULL,      /* too many ranges, and it is the furthest: the packet is freed */
};

void tcp_reasm_init(struct tcp_reasm *r);
/* Frees what is held. */
void tcp_reasm_clear(struct tcp_reasm *r);
/*
 * Takes a packet whose data is payload that starts at `seq`, cut to what is not yet held. `dropped`
 * counts ranges that had to give way.
 */
enum tcp_reasm_result tcp_reasm_insert(
	struct tcp_reasm *r, struct pkt *pkt, uint32_t seq, unsigned *dropped);
/* Takes the first range out if it starts at `seq`; returns its packets, in order, and its end. */
struct pkt *tcp_reasm_take(struct tcp_reasm *r, uint32_t seq, uint32_t *end, struct pkt **tail);
/* Frees the furthest range, all but the one that starts first; false when only that is left. */
bool tcp_reasm_drop_furthest(struct tcp_reasm *r);
/* Up to `max` blocks, that of the latest segment first; returns how many. */
unsigned tcp_reasm_sack(const struct tcp_reasm *r, struct tcp_range *out, unsigned max);

/* Copies pkt's payload behind tail's if it is small and fits; then pkt is freed and true returned.
 */
bool tcp_reasm_coalesce(struct pkt *tail, struct pkt *pkt);
