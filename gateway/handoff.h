#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doorbell;

/*
 * A hand-over between two threads: a single-producer single-consumer ring (rte_ring) of records of
 * one size, and the doorbell of the thread that takes from it (DESIGN §3). A producer that asks for
 * work keeps count of its credit, so a completion always finds room.
 */
struct handoff;

/* `count` records fit at least. 0 or -errno. The name is unique in the process. */
int handoff_new(const char *name, unsigned count, unsigned record_size, struct doorbell *consumer,
	struct handoff **out);
void handoff_free(struct handoff *handoff);
/* What one takes of DPDK's memory. */
static inline size_t handoff_octets(unsigned count, unsigned record_size)
{
	size_t records = 1;

	/* rte_ring holds one less than a power of two. */
	while (records <= count)
		records *= 2;
	return records * record_size;
}

/* Producer: put one record in; false when full. The consumer is woken by handoff_ring(), once a
 * burst. */
bool handoff_post(struct handoff *handoff, const void *record);
/* Producer: room for how many more. */
unsigned handoff_room(const struct handoff *handoff);
/* Producer: wake the consumer if it sleeps and something was posted since the last ring. */
void handoff_ring(struct handoff *handoff);

/* Consumer: up to `n` records. */
unsigned handoff_take(struct handoff *handoff, void *records, unsigned n);
bool handoff_is_empty(const struct handoff *handoff);
