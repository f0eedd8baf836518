/*
 * Named counters from one list. Each thread counts in its own block that only it writes; a registry
 * sums the blocks for metrics.
 *
 *	#define NEIGH_COUNTERS(X) \
 *		X(NEIGH_MISS, "neigh_miss", "packets that waited for a neighbour") \
 *		X(NEIGH_FULL, "neigh_full", "packets dropped: neighbour queue full")
 *	COUNTERS_DECLARE(neigh, NEIGH_COUNTERS)		in the header
 *	COUNTERS_DEFINE(neigh, NEIGH_COUNTERS)		in one .c file
 *
 * gives enum neigh_counter, neigh_counter_count, struct neigh_counters, neigh_counters_init() and
 * neigh_counters_set. counter_inc(&c->v[NEIGH_MISS]) counts, counters_register(r, &c->block) shows.
 * Names are unique within the program.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

struct counters_entry {
	const char *name; /* a metric's name without prefix: [a-z0-9_]+ */
	const char *help;
};

struct counters_set {
	const char *name;
	const struct counters_entry *entries;
	size_t count;
};

#define COUNTERS_ENUM_(id, name, help)  id,
#define COUNTERS_ENTRY_(id, name, help) {name, help},

/* One thread's values of one set: what a registry is given. */
struct counter_block {
	const struct counters_set *set;
	const counter *values; /* set->count of them */
};

#define COUNTERS_DECLARE(prefix, LIST)                                                             \
	enum prefix##_counter{LIST(COUNTERS_ENUM_) prefix##_counter_count};                        \
	struct prefix##_counters {                                                                 \
		struct counter_block block;                                                        \
		counter v[prefix##_counter_count];                                                 \
	};                                                                                         \
	extern const struct counters_set prefix##_counters_set;                                    \
	void prefix##_counters_init(struct prefix##_counters *c);

#define COUNTERS_DEFINE(prefix, LIST)                                                              \
	static const struct counters_entry prefix##_counters_entries[] = {LIST(COUNTERS_ENTRY_)};  \
	const struct counters_set prefix##_counters_set = {                                        \
		#prefix, prefix##_counters_entries, prefix##_counter_count};                       \
	void prefix##_counters_init(struct prefix##_counters *c)                                   \
	{                                                                                          \
		c->block.set = &prefix##_counters_set;                                             \
		c->block.values = c->v;                                                            \
		for (size_t i = 0; i < prefix##_counter_count; i++)                                \
			atomic_init(&c->v[i], 0);                                                  \
	}

/* By the block's owner only: a plain add, no locked instruction. */
static inline void counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void counter_inc(counter *c)
{
	counter_add(c, 1);
}

/* Owner only, for gauges: a value that goes up and down and is summed over threads. */
static inline void counter_set(counter *c, uint64_t value)
{
	atomic_store_explicit(c, value, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

#define COUNTERS_MAX_BLOCKS 512u

/* Filled at start, before threads run; read by anyone later. */
struct counters_registry {
	const struct counter_block *blocks[COUNTERS_MAX_BLOCKS];
	uint32_t block_count;
};

void counters_registry_init(struct counters_registry *r);
/* The block (&c->block) outlives the registry. Returns 0 or -ENOSPC. */
int counters_register(struct counters_registry *r, const struct counter_block *block);

/* Calls fn once a counter, with the sum over its set's blocks, sets in order of registration. */
typedef void (*counters_visit_fn)(
	void *ctx, const char *set, const char *name, const char *help, uint64_t value);
void counters_each(const struct counters_registry *r, counters_visit_fn fn, void *ctx);
/* The sum of the counter with that name; 0 if there is none. */
uint64_t counters_sum(const struct counters_registry *r, const char *name);
