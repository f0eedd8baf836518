#include "base/counters.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void counters_registry_init(struct counters_registry *r)
{
	memset(r, 0, sizeof(*r));
}

int counters_register(struct counters_registry *r, const struct counter_block *block)
{
	if (r->block_count == COUNTERS_MAX_BLOCKS)
		return -ENOSPC;
	r->blocks[r->block_count++] = block;
	return 0;
}

static uint64_t sum(const struct counters_registry *r, const struct counters_set *set, size_t entry)
{
	uint64_t total = 0;

	for (uint32_t b = 0; b < r->block_count; b++)
		if (r->blocks[b]->set == set)
			total += counter_get(&r->blocks[b]->values[entry]);
	return total;
}

static bool is_first_of_set(const struct counters_registry *r, uint32_t block)
{
	for (uint32_t b = 0; b < block; b++)
		if (r->blocks[b]->set == r->blocks[block]->set)
			return false;
	return true;
}

void counters_each(const struct counters_registry *r, counters_visit_fn fn, void *ctx)
{
	for (uint32_t b = 0; b < r->block_count; b++) {
		const struct counters_set *set = r->blocks[b]->set;

		if (!is_first_of_set(r, b))
			continue;
		for (size_t i = 0; i < set->count; i++)
			fn(ctx, set->name, set->entries[i].name, set->entries[i].help,
				sum(r, set, i));
	}
}

uint64_t counters_sum(const struct counters_registry *r, const char *name)
{
	for (uint32_t b = 0; b < r->block_count; b++) {
		const struct counters_set *set = r->blocks[b]->set;

		for (size_t i = 0; i < set->count; i++)
			if (strcmp(set->entries[i].name, name) == 0)
				return sum(r, set, i);
	}
	return 0;
}
