#include "gateway/policy/string_set.h"

#include <errno.h>
#include <stdlib.h>

#define CAPACITY_MIN 16

/* FNV-1a. The strings are the operator's own, so nobody can aim at one slot. */
static size_t hash(struct bytes value)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < value.len; i++)
		h = (h ^ (uint8_t)ascii_lower(value.data[i])) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ (h >> 32));
}

/* The slot that holds `value`, or the free one where it belongs. */
static struct bytes *find(const struct string_set *set, struct bytes value)
{
	size_t i = hash(value) & (set->capacity - 1);

	while (set->slots[i].data && !bytes_eq_nocase(set->slots[i], value))
		i = (i + 1) & (set->capacity - 1);
	return &set->slots[i];
}

static int grow(struct string_set *set)
{
	struct string_set larger = {.capacity = set->capacity ? set->capacity * 2 : CAPACITY_MIN};

	larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->capacity; i++)
		if (set->slots[i].data)
			*find(&larger, set->slots[i]) = set->slots[i];
	larger.count = set->count;
	free(set->slots);
	*set = larger;
	return 0;
}

int string_set_add(struct string_set *set, struct bytes value)
{
	struct bytes *slot;
	uint8_t *copy;

	/* At most half full, so that a search ends soon. */
	if (set->count * 2 >= set->capacity && grow(set) != 0)
		return -ENOMEM;
	slot = find(set, value);
	if (slot->data)
		return 0;
	copy = malloc(value.len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, value.data, value.len);
	*slot = bytes_of(copy, value.len);
	set->count++;
	return 0;
}

bool string_set_holds(const struct string_set *set, struct bytes value)
{
	return set->capacity > 0 && find(set, value)->data != NULL;
}

void string_set_fini(struct string_set *set)
{
	for (size_t i = 0; i < set->capacity; i++)
		free((void *)(uintptr_t)set->slots[i].data);
	free(set->slots);
	*set = (struct string_set){0};
}
