#include "spool/queue/index.h"

#include <errno.h>
#include <stdlib.h>

int index_init(struct index *x)
{
	for (unsigned i = 0; i < INDEX_STATES; i++)
		x->lists[i] = (struct index_list){NULL, &x->lists[i].first, 0};
	return slab_init(&x->entries, sizeof(struct index_entry), INDEX_MAX_MAILS);
}

void index_fini(struct index *x)
{
	for (unsigned i = 0; i < INDEX_STATES; i++)
		while (x->lists[i].first)
			index_remove(x, x->lists[i].first);
	slab_fini(&x->entries);
}

static void list_take(struct index *x, struct index_entry *e)
{
	struct index_list *list = &x->lists[e->state];

	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
	else
		list->last = e->link;
	list->count--;
}

static void list_append(struct index *x, struct index_entry *e)
{
	struct index_list *list = &x->lists[e->state];

	e->next = NULL;
	e->link = list->last;
	*list->last = e;
	list->last = &e->next;
	list->count++;
}

static void list_prepend(struct index *x, struct index_entry *e)
{
	struct index_list *list = &x->lists[e->state];

	e->next = list->first;
	e->link = &list->first;
	if (e->next)
		e->next->link = &e->next;
	else
		list->last = &e->next;
	list->first = e;
	list->count++;
}

struct index_entry *index_add(struct index *x, struct spool_item *item)
{
	struct index_entry *e = slab_get(&x->entries);

	if (!e)
		return NULL;
	*e = (struct index_entry){.item = item, .state = DELIVERY_WAITING};
	list_append(x, e);
	return e;
}

void index_remove(struct index *x, struct index_entry *e)
{
	list_take(x, e);
	spool_item_release(e->item);
	free(e->ended);
	slab_put(&x->entries, e);
}

void index_move(struct index *x, struct index_entry *e, enum delivery_state state, bool front)
{
	list_take(x, e);
	e->state = (uint8_t)state;
	if (front)
		list_prepend(x, e);
	else
		list_append(x, e);
}

static uint32_t words(const struct index_entry *e)
{
	return (e->n_recipients + 63u) / 64u;
}

static bool bit(const struct index_entry *e, uint32_t map, uint32_t recipient)
{
	return e->ended && (e->ended[map * words(e) + recipient / 64] >> (recipient % 64) & 1);
}

static int set_bit(struct index_entry *e, uint32_t map, uint32_t recipient)
{
	if (!e->ended)
		e->ended = calloc(2 * (size_t)words(e), sizeof(*e->ended));
	if (!e->ended)
		return -ENOMEM;
	e->ended[map * words(e) + recipient / 64] |= UINT64_C(1) << (recipient % 64);
	return 0;
}

bool index_is_done(const struct index_entry *e, uint32_t recipient)
{
	return spool_item_recipient_done(e->item, recipient) || bit(e, 0, recipient);
}

bool index_is_failed(const struct index_entry *e, uint32_t recipient)
{
	return bit(e, 1, recipient);
}

int index_set_done(struct index_entry *e, uint32_t recipient)
{
	return set_bit(e, 0, recipient);
}

int index_set_failed(struct index_entry *e, uint32_t recipient)
{
	return set_bit(e, 1, recipient);
}

void index_forget_failed(struct index_entry *e)
{
	if (e->ended)
		memset(e->ended + words(e), 0, words(e) * sizeof(*e->ended));
}
