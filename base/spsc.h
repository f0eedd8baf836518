/*
 * A single-producer single-consumer ring of fixed-size records, for code that may not see rte_ring.
 * Records are written and read in place: reserve, fill, commit; peek, use, pop.
 */
#pragma once

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spsc {
	uint8_t *records;
	size_t record_size;
	uint32_t mask;
	/* The producer's line: next record to fill, and where the consumer was last seen. */
	_Alignas(64) _Atomic uint32_t tail;
	uint32_t head_seen;
	/* The consumer's line. */
	_Alignas(64) _Atomic uint32_t head;
	uint32_t tail_seen;
};

/*
 * A ring over the caller's memory of record_size * count octets; `count` is a power of two.
 * Returns 0 or -EINVAL.
 */
static inline int spsc_init(struct spsc *r, void *records, size_t record_size, uint32_t count)
{
	if (!records || record_size == 0 || count == 0 || (count & (count - 1)) != 0 ||
		count > UINT32_C(1) << 31)
		return -EINVAL;
	r->records = (uint8_t *)records;
	r->record_size = record_size;
	r->mask = count - 1;
	atomic_init(&r->tail, 0);
	atomic_init(&r->head, 0);
	r->head_seen = r->tail_seen = 0;
	return 0;
}

/* Producer: the record to fill, or NULL when full. Nothing is seen before spsc_commit(). */
static inline void *spsc_reserve(struct spsc *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail - r->head_seen > r->mask) {
		r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
		if (tail - r->head_seen > r->mask)
			return NULL;
	}
	return r->records + (size_t)(tail & r->mask) * r->record_size;
}

static inline void spsc_commit(struct spsc *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

/* Consumer: the oldest record, or NULL when empty; it stays valid until spsc_pop(). */
static inline const void *spsc_peek(struct spsc *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head == r->tail_seen) {
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		if (head == r->tail_seen)
			return NULL;
	}
	return r->records + (size_t)(head & r->mask) * r->record_size;
}

static inline void spsc_pop(struct spsc *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

/* Any thread: records in the ring, at some moment during the call. */
static inline uint32_t spsc_count(const struct spsc *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	return atomic_load_explicit(&r->tail, memory_order_acquire) - head;
}
