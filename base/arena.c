#include "base/arena.h"

#include <assert.h>

#include "base/format.h"
#include "base/poison_priv.h"

struct arena_block {
	struct arena_block *older;
	uint64_t pad; /* data stays aligned to 16 */
	uint8_t data[];
};

_Static_assert(sizeof(struct arena_block) == 16, "data of a block is aligned like the block");

#define ARENA_ALIGN_MAX 16u

void arena_init(struct arena *a, struct slab *blocks, uint32_t max_blocks)
{
	assert(blocks->object_size > sizeof(struct arena_block));
	assert(blocks->object_size <= UINT32_MAX);
	*a = (struct arena){.blocks = blocks, .max_blocks = max_blocks};
}

void arena_reset(struct arena *a)
{
	while (a->current) {
		struct arena_block *block = a->current;

		a->current = block->older;
		UNPOISON(block, a->blocks->object_size);
		slab_put(a->blocks, block);
	}
	a->used = 0;
	a->block_count = 0;
}

void arena_fini(struct arena *a)
{
	arena_reset(a);
}

size_t arena_alloc_max(const struct arena *a)
{
	return a->blocks->object_size - sizeof(struct arena_block);
}

static bool add_block(struct arena *a)
{
	struct arena_block *block;

	if (a->block_count >= a->max_blocks)
		return false;
	block = slab_get(a->blocks);
	if (!block)
		return false;
	block->older = a->current;
	POISON(block->data, arena_alloc_max(a));
	a->current = block;
	a->used = 0;
	a->block_count++;
	return true;
}

void *arena_alloc(struct arena *a, size_t size, size_t align)
{
	size_t max = arena_alloc_max(a);
	size_t at;

	assert(align > 0 && align <= ARENA_ALIGN_MAX && (align & (align - 1)) == 0);
	if (size == 0)
		size = 1;
	at = (a->used + align - 1) & ~(align - 1);
	if (size > max || !a->current || at > max || size > max - at) {
		if (size > max || !add_block(a)) {
			a->refused++;
			return NULL;
		}
		at = 0;
	}
	a->used = (uint32_t)(at + size);
	UNPOISON(a->current->data + at, size);
	return a->current->data + at;
}

void *arena_zalloc(struct arena *a, size_t size, size_t align)
{
	void *p = arena_alloc(a, size, align);

	return p ? memset(p, 0, size) : NULL;
}

struct bytes arena_dup(struct arena *a, struct bytes b)
{
	uint8_t *copy = arena_alloc(a, b.len, 1);

	if (!copy)
		return (struct bytes){NULL, 0};
	if (b.len)
		memcpy(copy, b.data, b.len);
	return bytes_of(copy, b.len);
}

char *arena_str(struct arena *a, struct bytes b)
{
	char *copy = b.len < SIZE_MAX ? arena_alloc(a, b.len + 1, 1) : NULL;

	if (!copy)
		return NULL;
	if (b.len)
		memcpy(copy, b.data, b.len);
	copy[b.len] = '\0';
	return copy;
}

struct bytes arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = format_text(NULL, 0, format, args);
	va_end(args);
	text = len < 0 ? NULL : arena_alloc(a, (size_t)len + 1, 1);
	if (!text)
		return (struct bytes){NULL, 0};
	va_start(args, format);
	format_text(text, (size_t)len + 1, format, args);
	va_end(args);
	return bytes_of(text, (size_t)len);
}
