/*
 * A bounded pool of objects of one size for one thread: O(1), no heap, on memory that is reserved
 * at init and taken in 2 MiB steps as it is first used.
 *
 * In builds with AddressSanitizer every object that is not out is poisoned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pages.h"

#define SLAB_STEP PAGES_HUGE
/* Objects are aligned to this, or to 64 where their size is a multiple of 64. */
#define SLAB_ALIGN 16u

struct slab {
	uint8_t *base;
	void *free_list;
	size_t object_size; /* rounded up to SLAB_ALIGN */
	uint32_t max_objects;
	uint32_t fresh; /* objects [fresh, max_objects) were never out */
	uint32_t in_use;
	uint32_t in_use_peak;
	uint64_t exhausted; /* slab_get() that found nothing */
	size_t advised;     /* octets from base on that were asked to be huge pages */
};

/* Reserves room for `max_objects` objects. Returns 0, -EINVAL or -ENOMEM. */
int slab_init(struct slab *s, size_t object_size, uint32_t max_objects);
/* Gives the memory back, objects that are still out included. */
void slab_fini(struct slab *s);

/* An object with undefined content that the caller initialises, or NULL (counted) at the bound. */
void *slab_get(struct slab *s);
/* Takes back an object that came from this slab. */
void slab_put(struct slab *s, void *object);

/* Objects have stable numbers 0..max_objects-1, for names like {lcore, slot, generation}. */
uint32_t slab_index(const struct slab *s, const void *object);
/* The object with that number (whether out or not), or NULL if no such number was ever out. */
void *slab_at(const struct slab *s, uint32_t index);
