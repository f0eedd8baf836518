/*
 * Mail bytes in memory: append-only chunks with an atomic hold count.
 *
 * A pool has one owner thread (an io lcore), which alone takes chunks and appends to them. Other
 * stages borrow ranges below the writer's mark under a hold; whoever drops the last hold sends the
 * chunk home over a lock-free list that the owner drains. Chunks are cut from 2 MiB slabs inside
 * one bounded reservation; a slab whose chunks are all home may serve the other size again.
 */
#pragma once

#include <stdatomic.h>

#include "base/bytes.h"

struct chunk_pool;

/* Sizes in octets of the whole chunk, header included. */
#define CHUNK_SMALL_SIZE 4096u
#define CHUNK_LARGE_SIZE 65536u
#define CHUNK_SLAB_SIZE  (2u << 20)

enum chunk_size { CHUNK_SMALL, CHUNK_LARGE, CHUNK_SIZES };

struct chunk {
	struct chunk *next;      /* the owner's, to string a mail together; NULL from chunk_get() */
	struct chunk_pool *home; /* fixed */
	uint32_t cap;            /* octets of data[] */
	_Atomic uint32_t used;   /* the writer's mark: data[0..used) never changes again */
	_Atomic uint32_t holds;
	uint32_t size_class; /* enum chunk_size */
	uint8_t data[];
};

_Static_assert(sizeof(struct chunk) == 32, "header of a chunk");

#define CHUNK_SMALL_CAP (CHUNK_SMALL_SIZE - (uint32_t)sizeof(struct chunk))
#define CHUNK_LARGE_CAP (CHUNK_LARGE_SIZE - (uint32_t)sizeof(struct chunk))

/* Octets [from, to) of a chunk; whoever keeps one keeps a hold with it. */
struct chunk_range {
	struct chunk *chunk;
	uint32_t from;
	uint32_t to;
};

_Static_assert(sizeof(struct chunk_range) == 16, "a range crosses rings by value");

/* How full a pool is, as chunks out of `max_bytes`; what each level forbids is in the name. */
#define CHUNK_POOL_LEVELS(X)                                                                       \
	X(CHUNK_POOL_OK, "ok")         /* take everything */                                       \
	X(CHUNK_POOL_NO_NEW, "no-new") /* no new DATA: 452 4.3.1 before 354 */                     \
	X(CHUNK_POOL_SPILL, "spill")   /* mails in memory spill to the spool */                    \
	X(CHUNK_POOL_ABORT, "abort")   /* the slowest unfinished mail is aborted: 421 */

enum chunk_pool_level {
#define X(id, name) id,
	CHUNK_POOL_LEVELS(X)
#undef X
		CHUNK_POOL_LEVEL_COUNT
};

/* Thresholds in thousandths of max_bytes, ascending. */
struct chunk_pool_limits {
	uint16_t no_new_permille;
	uint16_t spill_permille;
	uint16_t abort_permille;
};

#define CHUNK_POOL_LIMITS_DEFAULT ((struct chunk_pool_limits){700, 800, 950})

struct chunk_slab; /* book-keeping of one 2 MiB slab, private */

struct chunk_pool {
	/* Touched by every thread that releases. */
	_Alignas(64) struct chunk *_Atomic homecoming;
	/* The owner's. */
	_Alignas(64) uint8_t *base;           /* start of the reservation, slab-aligned */
	struct chunk_slab *slabs;             /* one a slab of the reservation */
	struct chunk_slab *open[CHUNK_SIZES]; /* slabs of a size that have a free chunk */
	struct chunk_slab *idle;              /* slabs that serve no size now */
	uint32_t slab_count;                  /* slabs in the reservation */
	uint32_t slabs_touched;               /* of those, ever used */
	uint64_t max_bytes;
	uint64_t level_bytes[CHUNK_POOL_LEVEL_COUNT]; /* at or above: that level */
	_Atomic uint64_t in_use_bytes;                /* out of the pool; any thread may read */
	_Atomic uint64_t exhausted;                   /* chunk_get() that found nothing */
};

/*
 * Reserves address space for `max_bytes` (rounded up to whole slabs, at least two so that each size
 * can have one); memory is taken as chunks are first used. `limits` NULL means the defaults.
 * Returns 0, -EINVAL or -ENOMEM.
 */
int chunk_pool_init(
	struct chunk_pool *pool, uint64_t max_bytes, const struct chunk_pool_limits *limits);
/* Gives the memory back. Every chunk must be home; returns the number of chunks that were not. */
uint64_t chunk_pool_fini(struct chunk_pool *pool);

/* Owner only: an empty chunk with one hold, or NULL (counted) when the pool is exhausted. */
struct chunk *chunk_get(struct chunk_pool *pool, enum chunk_size size);
/* Owner only: takes in the chunks released elsewhere. chunk_get() and chunk_pool_level() do so. */
void chunk_pool_collect(struct chunk_pool *pool);
/* Owner only: the level reached now; CHUNK_POOL_ABORT too while chunk_get() has nothing to give. */
enum chunk_pool_level chunk_pool_level(struct chunk_pool *pool);
const char *chunk_pool_level_name(enum chunk_pool_level level);
/* Any thread: octets of chunks (headers included) that are out of the pool. */
uint64_t chunk_pool_in_use(const struct chunk_pool *pool);

/*
 * Any thread that has a hold: one more, one less. The last release makes `next` meaningless, so who
 * walks a string of chunks to release it reads `next` first.
 */
void chunk_hold(struct chunk *c);
void chunk_release(struct chunk *c);

/* Owner only: copies what fits and publishes it; returns the octets taken. */
size_t chunk_append(struct chunk *c, struct bytes b);
/* Owner only: write up to chunk_room() octets at chunk_tail(), then publish that many. */
static inline uint32_t chunk_room(const struct chunk *c)
{
	return c->cap - atomic_load_explicit(&c->used, memory_order_relaxed);
}

static inline uint8_t *chunk_tail(struct chunk *c)
{
	return c->data + atomic_load_explicit(&c->used, memory_order_relaxed);
}

void chunk_publish(struct chunk *c, uint32_t len);

/* Any thread with a hold: the writer's mark; octets below it are there to read. */
static inline uint32_t chunk_used(const struct chunk *c)
{
	return atomic_load_explicit(&c->used, memory_order_acquire);
}

static inline struct bytes chunk_range_bytes(struct chunk_range r)
{
	return bytes_of(r.chunk->data + r.from, r.to - r.from);
}

static inline uint32_t chunk_range_len(struct chunk_range r)
{
	return r.to - r.from;
}
