#include "base/log.h"
#include "spool/queue/delivery_priv.h"

/* What time does to the queue: retries, expiry, and the end of the dead. */

/* All that is left has failed for its age, in the words of the last reply. */
static int fail_rest(struct delivery *d, struct job *job)
{
	const struct index_entry *e = job->entry;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < e->n_recipients; i++)
		if (!index_is_done(e, i) && !index_is_failed(e, i))
			r = job_failed(job, i, true, "", replies_text(&d->replies, e->reply));
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
	r = job_open(d->log, e, &d->jobs, &job);
	if (r != 0) {
		delivery_unreadable(d, e, r);
		return;
	}
	r = fail_rest(d, job);
	if (r == 0)
		r = delivery_bounce(d, job, true);
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

static void bury(struct delivery *d, struct index_entry *e)
{
	counter_inc(&d->counters.v[DELIVERY_DEAD_END]);
	delivery_end_rest(d, e, SPOOL_EXPIRED, "removed reason=dead-kept-long-enough");
}

static void on_timer(struct delivery *d, struct index_entry *e)
{
	if (e->state == DELIVERY_DEFERRED)
		delivery_to_waiting(d, e);
	else if (e->state == DELIVERY_WAITING || e->state == DELIVERY_OUTGOING)
		expire(d, e);
	else if (e->state == DELIVERY_DEAD)
		bury(d, e);
}

void delivery_run_timers(struct delivery *d)
{
	struct wheel_timer *t;

	while ((t = wheel_pop_expired(&d->wheel, d->now_us)))
		on_timer(d, WHEEL_OWNER(t, struct index_entry, timer));
}
