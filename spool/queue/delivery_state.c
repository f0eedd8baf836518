#include "base/clock.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "spool/queue/delivery_priv.h"

/* The states of a mail in the queue, and what the log and the operator are told of changes. */

static uint64_t next_random(struct delivery *d)
{
	d->random = d->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return d->random >> 20;
}

static const char *id_text(const struct index_entry *e, char out[QUEUE_ID_TEXT_SIZE])
{
	return queue_id_format(spool_item_queue_id(e->item), out);
}

void delivery_say(struct delivery *d, const struct index_entry *e, const char *what)
{
	char id[QUEUE_ID_TEXT_SIZE];

	log_event(d->events, LOG_SEV_INFO, id_text(e, id), "event=%s", what);
}

void delivery_note_done(struct delivery *d, const struct index_entry *e, uint32_t recipient,
	enum spool_outcome outcome)
{
	struct delivery_note note = {.queue_id = spool_item_queue_id(e->item),
		.recipient = recipient,
		.kind = DELIVERY_NOTE_DONE,
		.outcome = outcome};

	notes_put(&d->notes, &note);
}

void delivery_note_shelf(struct delivery *d, const struct index_entry *e, enum spool_shelf shelf)
{
	struct delivery_note note = {.queue_id = spool_item_queue_id(e->item),
		.kind = DELIVERY_NOTE_SHELF,
		.shelf = shelf,
		.since_s = (uint32_t)(clock_unix_us() / SECOND_US)};

	notes_put(&d->notes, &note);
}

void delivery_remember_reply(struct delivery *d, struct index_entry *e, const char *text)
{
	replies_drop(&d->replies, e->reply);
	e->reply = replies_add(&d->replies, text);
}

uint64_t delivery_expiry_us(const struct index_entry *e)
{
	return e->expires_s * SECOND_US;
}

/* One that has expired gets a last attempt, if a backend is there in time. */
void delivery_await_attempt(struct delivery *d, struct index_entry *e)
{
	uint64_t at_us = delivery_expiry_us(e), warning_us = delivery_warning_us(d, e);
	uint64_t soonest_us = d->now_us + d->retry.min_us;

	if (warning_us < at_us)
		at_us = warning_us;
	wheel_arm(&d->wheel, &e->timer, at_us > soonest_us ? at_us : soonest_us);
}

void delivery_to_waiting(struct delivery *d, struct index_entry *e)
{
	index_move(&d->index, e, spool_item_relay(e->item) ? DELIVERY_OUTGOING : DELIVERY_WAITING,
		false);
	delivery_await_attempt(d, e);
}

void delivery_to_deferred(struct delivery *d, struct index_entry *e)
{
	if (e->attempts < UINT16_MAX)
		e->attempts++;
	index_move(&d->index, e, DELIVERY_DEFERRED, false);
	wheel_arm(&d->wheel, &e->timer,
		d->now_us + retry_wait_us(&d->retry, e->attempts, next_random(d)));
	/* It has time: its bytes can be read again. */
	spool_log_forget(d->log, e->item);
}

void delivery_to_held(struct delivery *d, struct index_entry *e, const char *why)
{
	wheel_disarm(&d->wheel, &e->timer);
	index_move(&d->index, e, DELIVERY_HELD, false);
	spool_log_forget(d->log, e->item);
	delivery_note_shelf(d, e, SPOOL_ON_HOLD);
	delivery_say(d, e, why);
	counter_inc(&d->counters.v[DELIVERY_HOLD]);
}

/* Its time among the dead ends `keep_us` from now. */
void delivery_keep_dead(struct delivery *d, struct index_entry *e, uint64_t keep_us)
{
	index_move(&d->index, e, DELIVERY_DEAD, false);
	wheel_arm(&d->wheel, &e->timer, d->now_us + keep_us);
}

static void to_dead(struct delivery *d, struct index_entry *e, const char *why)
{
	delivery_keep_dead(d, e, d->dead_keep_us);
	spool_log_forget(d->log, e->item);
	delivery_note_shelf(d, e, SPOOL_ON_DEAD);
	delivery_say(d, e, why);
	counter_inc(&d->counters.v[DELIVERY_DIE]);
}

void delivery_revive(struct delivery *d, struct index_entry *e)
{
	wheel_disarm(&d->wheel, &e->timer);
	delivery_note_shelf(d, e, SPOOL_IN_QUEUE);
	index_forget_failed(e);
	e->attempts = 0;
	e->flags &= (uint8_t)~INDEX_WARNED;
	d->now_us = clock_mono_us();
	e->expires_s = (uint32_t)((d->now_us + d->expire_us) / SECOND_US + 1);
	delivery_to_waiting(d, e);
}

void delivery_drop(struct delivery *d, struct index_entry *e, const char *what)
{
	wheel_disarm(&d->wheel, &e->timer);
	delivery_say(d, e, what);
	replies_drop(&d->replies, e->reply);
	index_remove(&d->index, e);
}

void delivery_end_rest(
	struct delivery *d, struct index_entry *e, enum spool_outcome outcome, const char *what)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (!index_is_done(e, i))
			delivery_note_done(d, e, i, outcome);
	delivery_drop(d, e, what);
}

/*
 * For good undeliverable. Where bounces are made, what may not bounce is dead; else it is for the
 * operator to decide. A bounce of our own can go nowhere else.
 */
void delivery_give_up(struct delivery *d, struct index_entry *e, bool expired)
{
	bool dead = d->relay || spool_item_relay(e->item);

	if (expired)
		counter_inc(&d->counters.v[DELIVERY_EXPIRE]);
	if (dead)
		to_dead(d, e, expired ? "dead reason=expired" : "dead reason=undeliverable");
	else
		delivery_to_held(
			d, e, expired ? "held reason=expired" : "held reason=undeliverable");
}

static bool someone_left(const struct index_entry *e)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (!index_is_done(e, i))
			return true;
	return false;
}

void delivery_decide(struct delivery *d, struct index_entry *e, uint32_t temporary)
{
	uint8_t asked = e->flags;

	e->flags &= INDEX_WARNED;
	if (asked & INDEX_DELETE)
		delivery_end_rest(d, e, SPOOL_DELETED, "deleted");
	else if (asked & INDEX_HOLD && someone_left(e))
		delivery_to_held(d, e, "held reason=operator");
	else if (temporary && d->now_us >= delivery_expiry_us(e))
		delivery_give_up(d, e, true);
	else if (temporary)
		delivery_to_deferred(d, e);
	else if (someone_left(e))
		delivery_give_up(d, e, false);
	else
		delivery_drop(d, e, "removed");
}
