#include "base/log.h"
#include "spool/queue/delivery_priv.h"

/* What time does to the queue: retries, expiry, and the end of the dead. */

int delivery_remember_rest(struct delivery *d, struct job *job)
{
	const struct index_entry *e = job->entry;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < e->n_recipients; i++)
		if (!index_is_done(e, i) && !index_is_failed(e, i))
			r = job_remember(
				job, i, LMTP_TEMPORARY, "", replies_text(&d->replies, e->reply));
	return r;
}

/* Without an attempt: why, if a report needs it. 0 or -errno, then the entry was dealt with. */
static int open_without_attempt(struct delivery *d, struct index_entry *e, struct job **job)
{
	int r = job_open(d->log, e, &d->jobs, job);

	if (r != 0) {
		delivery_unreadable(d, e, r);
		return r;
	}
	r = delivery_remember_rest(d, *job);
	if (r != 0) {
		job_close(*job);
		delivery_to_deferred(d, e);
	}
	return r;
}

/* It never got a last attempt. */
static void expire(struct delivery *d, struct index_entry *e)
{
	struct job *job;
	int r;

	if (!d->relay || spool_item_relay(e->item)) {
		delivery_give_up(d, e, true);
		return;
	}
	if (d->own.count >= DELIVERY_MAILS_MAX) {
		wheel_arm(&d->wheel, &e->timer, d->now_us + SECOND_US);
		return;
	}
	if (open_without_attempt(d, e, &job) != 0)
		return;
	r = delivery_report(d, job, DELIVERY_REPORT_EXPIRY);
	job_close(job);
	if (r > 0) {
		counter_inc(&d->counters.v[DELIVERY_EXPIRE]);
		index_move(&d->index, e, DELIVERY_ACTIVE, false);
	} else if (r == 0) {
		delivery_give_up(d, e, true);
	} else {
		delivery_to_deferred(d, e);
	}
}

/* The clock of an expiry may begin again (a revived mail); that of the warning goes with it. */
uint64_t delivery_warning_us(const struct delivery *d, const struct index_entry *e)
{
	uint64_t due_us = delivery_expiry_us(e) + d->warn_us;

	if (!d->relay || d->warn_us == 0 || d->warn_us >= d->expire_us || e->flags & INDEX_WARNED ||
		spool_item_relay(e->item))
		return UINT64_MAX;
	return due_us > d->expire_us ? due_us - d->expire_us : 0;
}

static bool warning_is_due(const struct delivery *d, const struct index_entry *e)
{
	return d->now_us >= delivery_warning_us(d, e) && d->own.count < DELIVERY_MAILS_MAX;
}

void delivery_warn(struct delivery *d, struct job *job)
{
	struct index_entry *e = job->entry;
	int r;

	if (!warning_is_due(d, e))
		return;
	r = delivery_report(d, job, DELIVERY_REPORT_DELAY);
	if (r < 0)
		return; /* after the next attempt */
	e->flags |= INDEX_WARNED;
	if (r == 0)
		return;
	delivery_note_shelf(d, e, SPOOL_IN_QUEUE_LATE);
	counter_inc(&d->counters.v[DELIVERY_WARNINGS]);
}

/* No backend has been there for so long that it was not even tried. */
static void warn_untried(struct delivery *d, struct index_entry *e)
{
	struct job *job;

	if (warning_is_due(d, e)) {
		if (open_without_attempt(d, e, &job) != 0)
			return;
		delivery_warn(d, job);
		job_close(job);
	}
	delivery_await_attempt(d, e);
}

static void bury(struct delivery *d, struct index_entry *e)
{
	counter_inc(&d->counters.v[DELIVERY_DEAD_END]);
	delivery_end_rest(d, e, SPOOL_EXPIRED, "removed reason=dead-kept-long-enough");
}

static void on_timer(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_DEFERRED)
		delivery_to_waiting(d, e);
	else if (e->state == DELIVERY_DEAD)
		bury(d, e);
	else if (e->state != DELIVERY_WAITING && e->state != DELIVERY_OUTGOING)
		return;
	else if (d->now_us >= delivery_expiry_us(e))
		expire(d, e);
	else
		warn_untried(d, e);
}

void delivery_run_timers(struct delivery *d)
{
	struct wheel_timer *t;

	while ((t = wheel_pop_expired(&d->wheel, d->now_us)))
		on_timer(d, WHEEL_OWNER(t, struct index_entry, timer));
}
