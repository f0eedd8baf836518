#include "gateway/trace_ring.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/pages.h"

#define WORDS (TRACE_RING_RECORD / 8)

struct slot {
	_Atomic uint64_t number; /* odd while it is being written */
	_Atomic uint64_t queue_id;
	_Atomic uint64_t len;
	_Atomic uint64_t words[WORDS];
};

_Static_assert(sizeof(struct slot) == TRACE_RING_SLOT, "what the memory plan says");

struct trace_ring {
	uint32_t count, next;
	_Atomic uint64_t put; /* records so far */
	struct slot slots[];
};

static size_t ring_octets(uint32_t count)
{
	return sizeof(struct trace_ring) + (size_t)count * sizeof(struct slot);
}

int trace_ring_new(uint32_t count, struct trace_ring **out)
{
	size_t len = ring_octets(count);

	*out = pages_reserve(len);
	if (!*out)
		return -ENOMEM;
	if (len >= PAGES_HUGE)
		pages_want_huge(*out, len);
	(*out)->count = count;
	return 0;
}

void trace_ring_free(struct trace_ring *ring)
{
	if (ring)
		pages_release(ring, ring_octets(ring->count));
}

static void put_word(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static uint64_t word_of(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

void trace_ring_put(struct trace_ring *ring, uint64_t queue_id, struct bytes record)
{
	struct slot *slot = &ring->slots[ring->next];
	uint64_t number = word_of(&slot->number);
	size_t len = record.len < TRACE_RING_RECORD ? record.len : TRACE_RING_RECORD;

	ring->next = (ring->next + 1) % ring->count;
	put_word(&slot->number, number + 1);
	atomic_thread_fence(memory_order_release);
	put_word(&slot->queue_id, queue_id);
	put_word(&slot->len, len);
	for (size_t i = 0; i * 8 < len; i++) {
		uint64_t word = 0;

		memcpy(&word, record.data + i * 8, len - i * 8 < 8 ? len - i * 8 : 8);
		put_word(&slot->words[i], word);
	}
	atomic_store_explicit(&slot->number, number + 2, memory_order_release);
	atomic_fetch_add_explicit(&ring->put, 1, memory_order_release);
}

/* A copy of a slot's record, if nobody wrote in it meanwhile. */
static bool copy(
	const struct slot *slot, uint64_t number, char record[TRACE_RING_RECORD], size_t *len)
{
	*len = word_of(&slot->len);
	if (*len > TRACE_RING_RECORD)
		return false;
	for (size_t i = 0; i * 8 < *len; i++) {
		uint64_t word = word_of(&slot->words[i]);

		memcpy(record + i * 8, &word, 8);
	}
	atomic_thread_fence(memory_order_acquire);
	return word_of(&slot->number) == number;
}

bool trace_ring_find(const struct trace_ring *ring, uint64_t queue_id, struct text *out)
{
	char record[TRACE_RING_RECORD];
	size_t len;

	for (uint32_t i = 0; i < ring->count; i++) {
		const struct slot *slot = &ring->slots[i];
		uint64_t number = atomic_load_explicit(&slot->number, memory_order_acquire);

		if (number % 2 == 0 && word_of(&slot->queue_id) == queue_id && queue_id != 0 &&
			copy(slot, number, record, &len)) {
			text_put(out, bytes_of(record, len));
			return true;
		}
	}
	return false;
}

bool trace_ring_next(
	const struct trace_ring *ring, uint64_t *seen, uint64_t *queue_id, struct text *out)
{
	uint64_t put = atomic_load_explicit(&ring->put, memory_order_acquire);
	char record[TRACE_RING_RECORD];
	size_t len;

	if (put - *seen > ring->count)
		*seen = put - ring->count;
	while (*seen < put) {
		const struct slot *slot = &ring->slots[*seen % ring->count];
		uint64_t number = (*seen / ring->count + 1) * 2;

		++*seen;
		if (atomic_load_explicit(&slot->number, memory_order_acquire) != number)
			continue;
		*queue_id = word_of(&slot->queue_id);
		if (copy(slot, number, record, &len)) {
			text_put(out, bytes_of(record, len));
			return true;
		}
	}
	return false;
}
