#include "base/epoch.h"

#include <errno.h>
#include <string.h>

int epoch_init(struct epoch *e, uint32_t reader_count)
{
	memset(e, 0, sizeof(*e));
	if (reader_count > EPOCH_MAX_READERS)
		return -EINVAL;
	atomic_init(&e->now, 1);
	e->reader_count = reader_count;
	for (uint32_t i = 0; i < reader_count; i++)
		e->readers[i].home = e;
	return 0;
}

struct epoch_reader *epoch_reader_at(struct epoch *e, uint32_t index)
{
	return index < e->reader_count ? &e->readers[index] : NULL;
}

void epoch_enter(struct epoch_reader *reader)
{
	uint64_t now = atomic_load_explicit(&reader->home->now, memory_order_acquire);

	atomic_store_explicit(&reader->seen, now, memory_order_relaxed);
	/* Either the writer's look at `seen` finds this, or our loads find what it unpublished. */
	atomic_thread_fence(memory_order_seq_cst);
}

void epoch_exit(struct epoch_reader *reader)
{
	atomic_store_explicit(&reader->seen, 0, memory_order_release);
}

void epoch_retire(
	struct epoch *e, struct epoch_retired *slot, void (*free_fn)(void *object), void *object)
{
	/* A reader that sees a later epoch entered after the object was taken out. */
	slot->epoch = atomic_fetch_add_explicit(&e->now, 1, memory_order_seq_cst);
	slot->free_fn = free_fn;
	slot->object = object;
	slot->next = NULL;
	if (e->newest)
		e->newest->next = slot;
	else
		e->oldest = slot;
	e->newest = slot;
	e->pending++;
}

/* Everything retired before this epoch is out of sight. */
static uint64_t oldest_seen(struct epoch *e)
{
	uint64_t oldest = UINT64_MAX;

	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < e->reader_count; i++) {
		uint64_t seen = atomic_load_explicit(&e->readers[i].seen, memory_order_acquire);

		if (seen != 0 && seen < oldest)
			oldest = seen;
	}
	return oldest;
}

static uint64_t free_before(struct epoch *e, uint64_t epoch)
{
	uint64_t freed = 0;

	while (e->oldest && e->oldest->epoch < epoch) {
		struct epoch_retired *slot = e->oldest;

		e->oldest = slot->next;
		if (!e->oldest)
			e->newest = NULL;
		e->pending--;
		freed++;
		slot->free_fn(slot->object);
	}
	return freed;
}

uint64_t epoch_reclaim(struct epoch *e)
{
	return e->oldest ? free_before(e, oldest_seen(e)) : 0;
}

void epoch_fini(struct epoch *e)
{
	free_before(e, UINT64_MAX);
}
