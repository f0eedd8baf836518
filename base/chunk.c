#include "base/chunk.h"

#include <assert.h>
#include <errno.h>

#include "base/pages.h"
#include "base/poison_priv.h"

/* One 2 MiB slab: serves chunks of one size while any of them is out, then either again. */
struct chunk_slab {
	struct chunk_slab *prev, *next; /* among the open slabs of its size, or the idle ones */
	struct chunk *free_list;
	uint32_t fresh; /* chunks [fresh, count of its size) were not yet cut */
	uint32_t out;
	uint32_t size_class;
	bool open; /* has a chunk to give and is in its size's list */
};

static const uint32_t size_of[CHUNK_SIZES] = {CHUNK_SMALL_SIZE, CHUNK_LARGE_SIZE};

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static bool limits_valid(const struct chunk_pool_limits *l)
{
	return l->no_new_permille <= l->spill_permille && l->spill_permille <= l->abort_permille &&
	       l->abort_permille <= 1000;
}

/* Slabs first, then their book-keeping. */
static size_t reservation_of(const struct chunk_pool *pool)
{
	return pool->max_bytes + pool->slab_count * sizeof(struct chunk_slab);
}

static int reserve(struct chunk_pool *pool)
{
	pool->base = pages_reserve(reservation_of(pool));
	if (!pool->base)
		return -ENOMEM;
	pool->slabs = (struct chunk_slab *)(pool->base + pool->max_bytes);
	POISON(pool->base, pool->max_bytes);
	return 0;
}

int chunk_pool_init(
	struct chunk_pool *pool, uint64_t max_bytes, const struct chunk_pool_limits *limits)
{
	const struct chunk_pool_limits l = limits ? *limits : CHUNK_POOL_LIMITS_DEFAULT;

	memset(pool, 0, sizeof(*pool));
	if (max_bytes == 0 || max_bytes > (uint64_t)1 << 46 || !limits_valid(&l))
		return -EINVAL;
	pool->max_bytes = round_up(max_bytes, CHUNK_SLAB_SIZE);
	if (pool->max_bytes < 2 * CHUNK_SLAB_SIZE)
		pool->max_bytes = 2 * CHUNK_SLAB_SIZE;
	pool->slab_count = (uint32_t)(pool->max_bytes / CHUNK_SLAB_SIZE);
	pool->level_bytes[CHUNK_POOL_NO_NEW] = pool->max_bytes / 1000 * l.no_new_permille;
	pool->level_bytes[CHUNK_POOL_SPILL] = pool->max_bytes / 1000 * l.spill_permille;
	pool->level_bytes[CHUNK_POOL_ABORT] = pool->max_bytes / 1000 * l.abort_permille;
	return reserve(pool);
}

static void list_push(struct chunk_slab **head, struct chunk_slab *s)
{
	s->prev = NULL;
	s->next = *head;
	if (s->next)
		s->next->prev = s;
	*head = s;
}

static void list_remove(struct chunk_slab **head, struct chunk_slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		*head = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

static uint8_t *slab_memory(const struct chunk_pool *pool, const struct chunk_slab *s)
{
	return pool->base + (size_t)(s - pool->slabs) * CHUNK_SLAB_SIZE;
}

/* An idle slab, or the next one of the reservation; NULL at the bound. */
static struct chunk_slab *take_slab(struct chunk_pool *pool)
{
	struct chunk_slab *s = pool->idle;

	if (s) {
		list_remove(&pool->idle, s);
		return s;
	}
	if (pool->slabs_touched == pool->slab_count)
		return NULL;
	s = &pool->slabs[pool->slabs_touched++];
	pages_want_huge(slab_memory(pool, s), CHUNK_SLAB_SIZE);
	return s;
}

static struct chunk_slab *open_slab(struct chunk_pool *pool, enum chunk_size size)
{
	struct chunk_slab *s = pool->open[size];

	if (s)
		return s;
	s = take_slab(pool);
	if (!s)
		return NULL;
	s->free_list = NULL;
	s->fresh = 0;
	s->out = 0;
	s->size_class = size;
	s->open = true;
	list_push(&pool->open[size], s);
	return s;
}

static struct chunk *take_chunk(struct chunk_pool *pool, struct chunk_slab *s)
{
	uint32_t size = size_of[s->size_class];
	struct chunk *c = s->free_list;

	if (c) {
		s->free_list = c->next;
	} else {
		c = (struct chunk *)(slab_memory(pool, s) + (size_t)s->fresh * size);
		s->fresh++;
	}
	s->out++;
	if (!s->free_list && s->fresh == CHUNK_SLAB_SIZE / size) {
		list_remove(&pool->open[s->size_class], s);
		s->open = false;
	}
	return c;
}

/* By the owner's hand only, so no atomic addition is needed. */
static void count_in_use(struct chunk_pool *pool, int64_t change)
{
	uint64_t now = atomic_load_explicit(&pool->in_use_bytes, memory_order_relaxed);

	atomic_store_explicit(&pool->in_use_bytes, now + (uint64_t)change, memory_order_relaxed);
}

struct chunk *chunk_get(struct chunk_pool *pool, enum chunk_size size)
{
	struct chunk_slab *s;
	struct chunk *c;

	chunk_pool_collect(pool);
	s = open_slab(pool, size);
	if (!s) {
		atomic_fetch_add_explicit(&pool->exhausted, 1, memory_order_relaxed);
		return NULL;
	}
	c = take_chunk(pool, s);
	UNPOISON(c, size_of[size]);
	c->next = NULL;
	c->home = pool;
	c->cap = size_of[size] - (uint32_t)sizeof(*c);
	c->size_class = size;
	atomic_init(&c->used, 0);
	atomic_init(&c->holds, 1);
	count_in_use(pool, size_of[size]);
	return c;
}

static void put_home(struct chunk_pool *pool, struct chunk *c)
{
	size_t offset = (size_t)((uint8_t *)c - pool->base);
	struct chunk_slab *s = &pool->slabs[offset / CHUNK_SLAB_SIZE];

	count_in_use(pool, -(int64_t)size_of[s->size_class]);
	/* The header stays readable: it links the free chunks. */
	POISON(c->data, c->cap);
	c->next = s->free_list;
	s->free_list = c;
	if (!s->open) {
		s->open = true;
		list_push(&pool->open[s->size_class], s);
	}
	if (--s->out == 0) {
		list_remove(&pool->open[s->size_class], s);
		s->open = false;
		list_push(&pool->idle, s);
		POISON(slab_memory(pool, s), CHUNK_SLAB_SIZE);
	}
}

void chunk_pool_collect(struct chunk_pool *pool)
{
	struct chunk *c;

	if (!atomic_load_explicit(&pool->homecoming, memory_order_relaxed))
		return;
	c = atomic_exchange_explicit(&pool->homecoming, NULL, memory_order_acquire);
	while (c) {
		struct chunk *next = c->next;

		put_home(pool, c);
		c = next;
	}
}

/* True if a chunk of either size cannot be had: then something must go, whatever the sum says. */
static bool is_exhausted(const struct chunk_pool *pool)
{
	if (pool->idle || pool->slabs_touched < pool->slab_count)
		return false;
	return !pool->open[CHUNK_SMALL] || !pool->open[CHUNK_LARGE];
}

enum chunk_pool_level chunk_pool_level(struct chunk_pool *pool)
{
	enum chunk_pool_level level = CHUNK_POOL_ABORT;
	uint64_t in_use;

	chunk_pool_collect(pool);
	if (is_exhausted(pool))
		return CHUNK_POOL_ABORT;
	in_use = chunk_pool_in_use(pool);
	while (level != CHUNK_POOL_OK && in_use < pool->level_bytes[level])
		level--;
	return level;
}

const char *chunk_pool_level_name(enum chunk_pool_level level)
{
	static const char *const names[] = {
#define X(id, name) [id] = name,
		CHUNK_POOL_LEVELS(X)
#undef X
	};

	return (unsigned)level < CHUNK_POOL_LEVEL_COUNT ? names[level] : "?";
}

uint64_t chunk_pool_in_use(const struct chunk_pool *pool)
{
	return atomic_load_explicit(&pool->in_use_bytes, memory_order_relaxed);
}

uint64_t chunk_pool_fini(struct chunk_pool *pool)
{
	uint64_t abroad = 0;

	if (!pool->base)
		return 0;
	chunk_pool_collect(pool);
	for (uint32_t i = 0; i < pool->slabs_touched; i++)
		abroad += pool->slabs[i].out;
	UNPOISON(pool->base, pool->max_bytes);
	pages_release(pool->base, reservation_of(pool));
	memset(pool, 0, sizeof(*pool));
	return abroad;
}

void chunk_hold(struct chunk *c)
{
	uint32_t before = atomic_fetch_add_explicit(&c->holds, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
}

void chunk_release(struct chunk *c)
{
	/* Everyone's reads of the data are over before the owner writes it anew. */
	uint32_t before = atomic_fetch_sub_explicit(&c->holds, 1, memory_order_acq_rel);
	struct chunk_pool *home = c->home;
	struct chunk *first;

	assert(before > 0);
	if (before != 1)
		return;
	first = atomic_load_explicit(&home->homecoming, memory_order_relaxed);
	do
		c->next = first;
	while (!atomic_compare_exchange_weak_explicit(
		&home->homecoming, &first, c, memory_order_release, memory_order_relaxed));
}

void chunk_publish(struct chunk *c, uint32_t len)
{
	uint32_t used = atomic_load_explicit(&c->used, memory_order_relaxed);

	assert(len <= c->cap - used);
	atomic_store_explicit(&c->used, used + len, memory_order_release);
}

size_t chunk_append(struct chunk *c, struct bytes b)
{
	size_t len = b.len < chunk_room(c) ? b.len : chunk_room(c);

	if (len == 0)
		return 0;
	memcpy(chunk_tail(c), b.data, len);
	chunk_publish(c, (uint32_t)len);
	return len;
}
