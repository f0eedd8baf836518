/*
 * Bump allocation for things that die together (one mail, one command), over fixed blocks from a
 * slab. Bounded in blocks; single thread, that of the slab.
 */
#pragma once

#include "base/bytes.h"
#include "base/slab.h"

/* The usual object size of the slab of blocks. */
#define ARENA_BLOCK_SIZE 4096u

struct arena_block;

struct arena {
	struct slab *blocks;
	struct arena_block *current; /* newest first; NULL while nothing is allocated */
	uint32_t used;               /* octets of the current block */
	uint32_t block_count;
	uint32_t max_blocks;
	uint32_t refused; /* allocations that met a bound */
};

/* `blocks` is borrowed and outlives the arena. No block is taken yet. */
void arena_init(struct arena *a, struct slab *blocks, uint32_t max_blocks);
/* Gives every block back; everything allocated is gone. The arena may be used again. */
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);

/*
 * `size` octets (0 counts as 1) aligned to `align`, a power of two of at most 16; content is
 * undefined. NULL if it is larger than a block, the arena has max_blocks, or the slab is empty.
 */
void *arena_alloc(struct arena *a, size_t size, size_t align);
/* Largest size that a fresh block can serve. */
size_t arena_alloc_max(const struct arena *a);
void *arena_zalloc(struct arena *a, size_t size, size_t align);

/* A copy, {NULL, 0} at the bound. A copy of no octets has non-NULL data. */
struct bytes arena_dup(struct arena *a, struct bytes b);
/* A NUL-terminated copy, or NULL at the bound. */
char *arena_str(struct arena *a, struct bytes b);
/* Formatted text, NUL-terminated behind its length; {NULL, 0} at the bound. */
struct bytes arena_printf(struct arena *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type), _Alignof(type)))
