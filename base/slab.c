#include "base/slab.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/pages.h"
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
	if (__builtin_mul_overflow(size, (size_t)max_objects, &total))
		return -EINVAL;
	s->base = pages_reserve(total);
	if (!s->base)
		return -ENOMEM;
	s->object_size = size;
	s->max_objects = max_objects;
	POISON(s->base, total);
	return 0;
}

void slab_fini(struct slab *s)
{
	size_t total = s->object_size * s->max_objects;

	if (!s->base)
		return;
	UNPOISON(s->base, total);
	pages_release(s->base, total);
	memset(s, 0, sizeof(*s));
}

/* The next object that was never out; memory is asked for one step at a time. */
static void *take_fresh(struct slab *s)
{
	uint8_t *object = s->base + (size_t)s->fresh * s->object_size;
	size_t end = (size_t)(object - s->base) + s->object_size;

	while (s->advised < end) {
		pages_want_huge(s->base + s->advised, SLAB_STEP);
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
