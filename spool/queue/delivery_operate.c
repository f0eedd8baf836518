#include "spool/queue/delivery_priv.h"

/* What operators may do with the queue, and how they look at it. */

typedef bool (*entry_fn)(struct delivery *d, struct index_entry *e);

static unsigned for_matching(struct delivery *d, uint64_t queue_id, entry_fn fn)
{
	struct index_entry *next;
	unsigned n = 0;

	/* One that fn moves to a later list is met twice; the second time fn has nothing to do. */
	for (unsigned state = 0; state < INDEX_STATES; state++)
		for (struct index_entry *e = d->index.lists[state].first; e; e = next) {
			next = e->next;
			if (queue_id == 0 || spool_item_queue_id(e->item) == queue_id)
				n += fn(d, e);
		}
	return n;
}

static bool hold_one(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_HELD)
		return false;
	if (e->state == DELIVERY_ACTIVE)
		e->flags |= INDEX_HOLD;
	else
		delivery_to_held(d, e, "held reason=operator");
	return true;
}

static bool unhold_one(struct delivery *d, struct index_entry *e)
{
	if (e->state != DELIVERY_HELD && e->state != DELIVERY_DEAD)
		return false;
	delivery_say(d, e, "released");
	delivery_revive(d, e);
	return true;
}

static bool flush_one(struct delivery *d, struct index_entry *e)
{
	if (e->state != DELIVERY_DEFERRED)
		return false;
	delivery_to_waiting(d, e);
	return true;
}

static bool requeue_one(struct delivery *d, struct index_entry *e)
{
	return e->state == DELIVERY_DEAD ? unhold_one(d, e) : flush_one(d, e);
}

static bool delete_one(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_ACTIVE)
		e->flags |= INDEX_DELETE;
	else
		delivery_end_rest(d, e, SPOOL_DELETED, "deleted");
	return true;
}

unsigned delivery_hold(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, hold_one);
}

unsigned delivery_unhold(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, unhold_one);
}

unsigned delivery_flush(struct delivery *d, uint64_t queue_id)
{
	backends_retry_now(d->backends);
	return for_matching(d, queue_id, flush_one);
}

unsigned delivery_requeue(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, requeue_one);
}

unsigned delivery_delete(struct delivery *d, uint64_t queue_id)
{
	return for_matching(d, queue_id, delete_one);
}

void delivery_list(
	struct delivery *d, void (*fn)(void *arg, const struct delivery_status *status), void *arg)
{
	for (unsigned state = 0; state < INDEX_STATES; state++)
		for (const struct index_entry *e = d->index.lists[state].first; e; e = e->next) {
			struct delivery_status status = {
				.queue_id = spool_item_queue_id(e->item),
				.state = (enum delivery_state)e->state,
				.attempts = e->attempts,
				.next_try_us =
					state == DELIVERY_DEFERRED ? e->timer.deadline_us : 0,
				.last_reply = replies_text(&d->replies, e->reply),
			};

			fn(arg, &status);
		}
}
