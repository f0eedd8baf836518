#include "base/slab.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/poison_priv.h"

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

int slab_init(struct slab *s, size_t object_size, uint32_t max_objects)
{
	size_t size = round_up(object_size, SLAB_ALIGN);
	size_t total;

	memset(s, 0, sizeof(*s));
	if (object_size == 0 || size < object_size || max_objects == 0)
		return -EINVAL;
	if (__builtin_mul_overflow(size, (size_t)max_objects, &total) ||
		total > SIZE_MAX - 2 * SLAB_STEP)
		return -EINVAL;
	/* One step more than needed, so that the base can stand on a huge page. */
	s->map_len = round_up(total, SLAB_STEP) + SLAB_STEP;
	s->map = mmap(NULL, s->map_len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return -ENOMEM;
	}
	s->base = (uint8_t *)round_up((uintptr_t)s->map, SLAB_STEP);
	s->object_size = size;
	s->max_objects = max_objects;
	POISON(s->base, total);
	return 0;
}

void slab_fini(struct slab *s)
{
	if (!s->map)
		return;
	UNPOISON(s->base, s->object_size * s->max_objects);
	munmap(s->map, s->map_len);
	memset(s, 0, sizeof(*s));
}

/* The next object that was never out; memory is asked for one step at a time. */
static void *take_fresh(struct slab *s)
{
	uint8_t *object = s->base + (size_t)s->fresh * s->object_size;
	size_t end = (size_t)(object - s->base) + s->object_size;

	while (s->advised < end) {
		/* Advice only: without huge pages everything works, slower. */
		(void)madvise(s->base + s->advised, SLAB_STEP, MADV_HUGEPAGE);
		s->advised += SLAB_STEP;
	}
	s->fresh++;
	return object;
}

void *slab_get(struct slab *s)
{
	void *object = s->free_list;

	if (object) {
		UNPOISON(object, s->object_size);
		memcpy(&s->free_list, object, sizeof(void *));
	} else if (s->fresh < s->max_objects) {
		object = take_fresh(s);
		UNPOISON(object, s->object_size);
	} else {
		s->exhausted++;
		return NULL;
	}
	if (++s->in_use > s->in_use_peak)
		s->in_use_peak = s->in_use;
	return object;
}

void slab_put(struct slab *s, void *object)
{
	assert(slab_index(s, object) < s->fresh && s->in_use > 0);
	memcpy(object, &s->free_list, sizeof(void *));
	POISON(object, s->object_size);
	s->free_list = object;
	s->in_use--;
}

uint32_t slab_index(const struct slab *s, const void *object)
{
	size_t offset = (size_t)((const uint8_t *)object - s->base);

	assert(offset % s->object_size == 0);
	return (uint32_t)(offset / s->object_size);
}

void *slab_at(const struct slab *s, uint32_t index)
{
	return index < s->fresh ? s->base + (size_t)index * s->object_size : NULL;
}
