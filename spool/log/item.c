#include "spool/log/item.h"

#include <errno.h>
#include <stdlib.h>

#define DONE_INLINE       64u
#define TABLE_SLOTS_FIRST 1024u

struct spool_item *item_new(uint64_t queue_id, uint32_t n_recipients)
{
	struct spool_item *item = calloc(1, sizeof(*item));

	if (!item)
		return NULL;
	atomic_init(&item->refs, 1);
	item->queue_id = queue_id;
	item->n_recipients = (uint16_t)n_recipients;
	item->remaining = n_recipients;
	if (n_recipients > DONE_INLINE) {
		item->done_many = calloc(item_done_words(item), sizeof(*item->done_many));
		if (!item->done_many) {
			free(item);
			return NULL;
		}
	}
	return item;
}

void item_hold(struct spool_item *item)
{
	atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
}

void spool_item_release(struct spool_item *item)
{
	if (!item || atomic_fetch_sub_explicit(&item->refs, 1, memory_order_acq_rel) != 1)
		return;
	item_memory_release(item->memory);
	free(item->extents); /* only where the log has closed: else item_unplace() did it */
	free(item->done_many);
	free(item);
}

uint64_t spool_item_queue_id(const struct spool_item *item)
{
	return item->queue_id;
}

uint32_t item_done_words(const struct spool_item *item)
{
	return (item->n_recipients + 63u) / 64u;
}

_Atomic uint64_t *item_done_map(struct spool_item *item)
{
	return item->done_many ? item->done_many : &item->done;
}

bool item_set_done(struct spool_item *item, uint32_t recipient)
{
	_Atomic uint64_t *word;
	uint64_t bit = UINT64_C(1) << (recipient % 64);

	if (recipient >= item->n_recipients)
		return false;
	word = item_done_map(item) + recipient / 64;
	return !(atomic_fetch_or_explicit(word, bit, memory_order_relaxed) & bit);
}

bool spool_item_recipient_done(const struct spool_item *item, uint32_t recipient)
{
	const _Atomic uint64_t *map = item->done_many ? item->done_many : &item->done;

	return recipient >= item->n_recipients ||
	       (atomic_load_explicit(&map[recipient / 64], memory_order_relaxed) >>
			       (recipient % 64) &
		       1);
}

bool spool_item_held(const struct spool_item *item)
{
	return item_shelf(item) == SPOOL_ON_HOLD;
}

bool spool_item_late(const struct spool_item *item)
{
	return item_shelf(item) == SPOOL_IN_QUEUE_LATE;
}

bool spool_item_dead(const struct spool_item *item, uint32_t *since_s)
{
	*since_s = atomic_load_explicit(&item->shelved_s, memory_order_relaxed);
	return item_shelf(item) == SPOOL_ON_DEAD;
}

bool spool_item_relay(const struct spool_item *item)
{
	return item->relay;
}

void item_shelve(struct spool_item *item, enum spool_shelf shelf, uint32_t since_s)
{
	atomic_store_explicit(&item->shelved_s, since_s, memory_order_relaxed);
	atomic_store_explicit(&item->shelf, (uint8_t)shelf, memory_order_relaxed);
}

enum spool_shelf item_shelf(const struct spool_item *item)
{
	return (enum spool_shelf)atomic_load_explicit(&item->shelf, memory_order_relaxed);
}

const char *spool_shelf_word(enum spool_shelf shelf)
{
	static const char *const words[] = {
#define X(id, word) [id] = word,
		SPOOL_SHELVES(X)
#undef X
	};

	return words[shelf];
}

uint32_t spool_item_recipients(const struct spool_item *item)
{
	return item->n_recipients;
}

struct item_memory *item_memory_new(struct item_account *account, const void *data, uint32_t len)
{
	uint64_t size = sizeof(struct item_memory) + len;
	struct item_memory *m = NULL;

	if (atomic_fetch_add_explicit(&account->used, size, memory_order_relaxed) + size <=
		account->max)
		m = malloc(size);
	if (!m) {
		atomic_fetch_sub_explicit(&account->used, size, memory_order_relaxed);
		return NULL;
	}
	atomic_init(&m->refs, 1);
	m->account = account;
	m->len = len;
	memcpy(m->data, data, len);
	return m;
}

struct item_memory *item_memory_hold(struct item_memory *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void item_memory_release(struct item_memory *m)
{
	if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
		return;
	atomic_fetch_sub_explicit(&m->account->used, sizeof(*m) + m->len, memory_order_relaxed);
	free(m);
}

static struct item_part *part_of(const struct item_extents *x, const struct segment *segment)
{
	for (uint32_t i = x ? x->count : 0; i > 0; i--)
		if (x->parts[i - 1].segment == segment)
			return (struct item_part *)&x->parts[i - 1];
	return NULL;
}

bool item_extents_in(const struct item_extents *x, const struct segment *segment)
{
	return part_of(x, segment) != NULL;
}

static struct item_part *part_new(struct item_extents **list, struct segment *segment)
{
	struct item_extents *x = *list;
	uint32_t count = x ? x->count : 0;

	if (!x || count == x->cap) {
		uint32_t cap = x ? x->cap * 2 : 2;

		x = realloc(x, sizeof(*x) + cap * sizeof(x->parts[0]));
		if (!x)
			return NULL;
		x->cap = cap;
		*list = x;
	}
	x->count = count + 1;
	x->parts[count] = (struct item_part){segment, 0};
	segment->live++;
	return &x->parts[count];
}

int item_extents_add(struct item_extents **list, struct segment *segment, uint64_t octets)
{
	struct item_part *part = part_of(*list, segment);

	if (!part)
		part = part_new(list, segment);
	if (!part)
		return -ENOMEM;
	part->octets += octets;
	segment->live_octets += octets;
	return 0;
}

void item_extents_free(struct item_extents *x)
{
	for (uint32_t i = 0; x && i < x->count; i++) {
		x->parts[i].segment->live--;
		x->parts[i].segment->live_octets -= x->parts[i].octets;
	}
	free(x);
}

void item_place(struct spool_item *item, struct segment *segment, uint32_t offset, uint32_t size,
	struct item_extents *extents)
{
	item_unplace(item);
	item->segment = segment;
	item->offset = offset;
	item->size = size;
	item->extents = extents;
	segment->live++;
	segment->live_octets += size;
}

void item_unplace(struct spool_item *item)
{
	item_extents_free(item->extents);
	item->extents = NULL;
	if (!item->segment)
		return;
	item->segment->live--;
	item->segment->live_octets -= item->size;
	item->segment = NULL;
}

int item_table_init(struct item_table *t)
{
	t->count = 0;
	t->n_slots = TABLE_SLOTS_FIRST;
	t->slots = calloc(t->n_slots, sizeof(struct spool_item *));
	return t->slots ? 0 : -ENOMEM;
}

void item_table_fini(struct item_table *t)
{
	for (uint64_t i = 0; i < t->n_slots; i++)
		spool_item_release(t->slots[i]);
	free(t->slots);
	*t = (struct item_table){0};
}

/* Queue ids are our own, so a plain mix will do: Fibonacci hashing, by its high bits. */
static uint64_t home_of(const struct item_table *t, uint64_t queue_id)
{
	unsigned bits = (unsigned)__builtin_ctzll(t->n_slots);

	return ((queue_id ^ queue_id >> 32) * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - bits);
}

static uint64_t slot_of(const struct item_table *t, uint64_t queue_id)
{
	uint64_t i = home_of(t, queue_id);

	while (t->slots[i] && t->slots[i]->queue_id != queue_id)
		i = (i + 1) & (t->n_slots - 1);
	return i;
}

struct spool_item *item_table_find(const struct item_table *t, uint64_t queue_id)
{
	return t->slots[slot_of(t, queue_id)];
}

static int grow(struct item_table *t)
{
	struct item_table bigger = {.n_slots = t->n_slots * 2};

	bigger.slots = calloc(bigger.n_slots, sizeof(struct spool_item *));
	if (!bigger.slots)
		return -ENOMEM;
	for (uint64_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			bigger.slots[slot_of(&bigger, t->slots[i]->queue_id)] = t->slots[i];
	bigger.count = t->count;
	free(t->slots);
	*t = bigger;
	return 0;
}

int item_table_reserve(struct item_table *t, uint64_t more)
{
	while (t->count + more > t->n_slots / 4 * 3)
		if (grow(t) != 0)
			return -ENOMEM;
	return 0;
}

int item_table_put(struct item_table *t, struct spool_item *item)
{
	if (item_table_reserve(t, 1) != 0)
		return -ENOMEM;
	t->slots[slot_of(t, item->queue_id)] = item;
	t->count++;
	return 0;
}

struct spool_item *item_table_take(struct item_table *t, uint64_t queue_id)
{
	uint64_t mask = t->n_slots - 1, hole = slot_of(t, queue_id);
	struct spool_item *item = t->slots[hole];

	if (!item)
		return NULL;
	for (uint64_t i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
		uint64_t home = home_of(t, t->slots[i]->queue_id);

		/* It may move back into the hole if its home does not lie between the two. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = NULL;
	t->count--;
	return item;
}
