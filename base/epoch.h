/*
 * Epoch-based reclamation: readers look at shared immutable entries without a lock or a count; the
 * one writer frees an entry only when no reader can still see it (Fraser, "Practical lock-freedom",
 * 2004, §5.2.3; here with one writer and a counter that never wraps).
 *
 * Writer: take the entry out of every place readers look at, then epoch_retire() it.
 * Reader: between enter and exit, pointers loaded (acquire) from shared places stay valid.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define EPOCH_MAX_READERS 64u

struct epoch;

/* One reading thread's. */
struct epoch_reader {
	_Alignas(64) _Atomic uint64_t seen; /* 0: outside */
	struct epoch *home;
};

/* Lies in the object to be retired; the writer's. */
struct epoch_retired {
	struct epoch_retired *next;
	uint64_t epoch;
	void (*free_fn)(void *object);
	void *object;
};

struct epoch {
	_Alignas(64) _Atomic uint64_t now; /* starts at 1 */
	_Alignas(64) struct epoch_retired *oldest;
	struct epoch_retired *newest;
	uint64_t pending; /* retired, not yet freed */
	uint32_t reader_count;
	struct epoch_reader readers[EPOCH_MAX_READERS];
};

/* `reader_count` readers, each for one thread. Returns 0 or -EINVAL. */
int epoch_init(struct epoch *e, uint32_t reader_count);
/* Frees everything retired; no reader may be inside. */
void epoch_fini(struct epoch *e);
/* Reader number `index`, or NULL if there is no such. */
struct epoch_reader *epoch_reader_at(struct epoch *e, uint32_t index);

/* Reader's thread; does not nest. No lock, no wait. */
void epoch_enter(struct epoch_reader *reader);
void epoch_exit(struct epoch_reader *reader);

/* Writer: free_fn(object) will be called by a later epoch_reclaim() (or epoch_fini()). */
void epoch_retire(
	struct epoch *e, struct epoch_retired *slot, void (*free_fn)(void *object), void *object);
/* Writer: frees what no reader can see any more; returns how many. */
uint64_t epoch_reclaim(struct epoch *e);
