#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "spool/queue/delivery_priv.h"

/* Attempts: mails to backends and to the relay, and what becomes of them by their results. */

static void say_result(struct delivery *d, const struct job *job, unsigned i, const char *relay)
{
	static const char *const words[] = {"deferred", "sent", "deferred", "held", "failed"};
	const struct lmtp_recipient *r = &job->mail.recipients[i];
	char id[QUEUE_ID_TEXT_SIZE], to[LOG_VALUE_MAX];
	uint64_t received_us = job->view.envelope.received_unix_us, now_us = clock_unix_us();
	struct text t;

	text_init(&t, to, sizeof(to));
	text_putc(&t, '<');
	text_put(&t, bytes_slice(r->address, 0, sizeof(to) - 3));
	text_putc(&t, '>');
	log_event(d->events, LOG_SEV_INFO,
		queue_id_format(spool_item_queue_id(job->entry->item), id),
		"to=%s relay=%s delay=%llu dsn=%s status=%s%s reply=%s", LOG_VALUE(text_bytes(&t)),
		relay,
		(unsigned long long)(now_us > received_us ? (now_us - received_us) / SECOND_US : 0),
		r->result.dsn,
		words[r->result.outcome + (d->relay && r->result.outcome == LMTP_PERMANENT)],
		r->result.unsure ? " duplicate=possible" : "",
		LOG_VALUE(bytes_str(r->result.text)));
}

static bool remember_failure(struct job *job, unsigned i)
{
	const struct lmtp_result *r = &job->mail.recipients[i].result;
	enum lmtp_outcome outcome = r->outcome == LMTP_PERMANENT ? LMTP_PERMANENT : LMTP_TEMPORARY;

	return job_remember(job, job->numbers[i], outcome, r->dsn, r->text) == 0;
}

/* Where the backend was told that the sender wants to know, it is the backend's to say (RFC 3461
 * §5.2.1). Always true: that somebody is not told undoes no delivery. */
static bool remember_success(struct job *job, unsigned i)
{
	const struct lmtp_recipient *r = &job->mail.recipients[i];

	if (r->notify & DSN_SUCCESS && !r->result.notify_passed_on)
		job_remember(job, job->numbers[i], LMTP_DELIVERED, r->result.dsn, r->result.text);
	return true;
}

static void take_result(struct delivery *d, struct job *job, unsigned i)
{
	const struct lmtp_result *r = &job->mail.recipients[i].result;
	uint32_t number = job->numbers[i];
	bool told =
		r->outcome == LMTP_DELIVERED ? remember_success(job, i) : remember_failure(job, i);

	if (r->unsure)
		counter_inc(&d->counters.v[DELIVERY_UNSURE]);
	switch (told ? r->outcome : LMTP_TEMPORARY) {
	case LMTP_DELIVERED:
		counter_inc(&d->counters.v[DELIVERY_SENT]);
		index_set_done(job->entry, number);
		delivery_note_done(d, job->entry, number, SPOOL_DELIVERED);
		break;
	case LMTP_PERMANENT:
		counter_inc(&d->counters.v[DELIVERY_FAIL]);
		index_set_failed(job->entry, number);
		delivery_remember_reply(d, job->entry, r->text);
		break;
	case LMTP_PENDING:
	case LMTP_TEMPORARY:
		counter_inc(&d->counters.v[DELIVERY_DEFER]);
		job->temporary++;
		delivery_remember_reply(d, job->entry, r->text);
		break;
	}
}

static void job_over(struct delivery *d, struct job *job)
{
	struct index_entry *e = job->entry;
	uint32_t temporary = job->temporary;
	bool expired = temporary && d->now_us >= delivery_expiry_us(e);
	int bounced;

	job_rewind(job);
	bounced =
		delivery_report(d, job, expired ? DELIVERY_REPORT_EXPIRY : DELIVERY_REPORT_RESULTS);

	if (temporary && !expired)
		delivery_warn(d, job);
	job_close(job);
	if (bounced > 0) {
		if (expired)
			counter_inc(&d->counters.v[DELIVERY_EXPIRE]);
		return; /* delivery_committed() goes on */
	}
	if (bounced < 0) {
		index_forget_failed(e); /* when there is memory again */
		temporary++;
	}
	delivery_decide(d, e, temporary);
}

static void resume(struct delivery *d, struct job *job)
{
	job->next = d->resume;
	d->resume = job;
}

void delivery_on_done(void *arg, struct lmtp_mail *mail, const char *backend, bool untried)
{
	struct delivery *d = arg;
	struct job *job = job_of(mail);

	if (untried) {
		job_again(job);
		resume(d, job);
		return;
	}
	for (unsigned i = 0; i < mail->n_recipients; i++) {
		say_result(d, job, i, backend);
		take_result(d, job, i);
	}
	job->group++;
	if (job_next(job))
		resume(d, job);
	else
		job_over(d, job);
}

void delivery_on_relay_done(void *arg, struct lmtp_mail *mail, const char *relay)
{
	delivery_on_done(arg, mail, relay, false);
}

void delivery_on_health(void *arg, const char *backend, const char *reason, uint64_t wait_us)
{
	struct delivery *d = arg;

	if (reason)
		log_event(d->events, LOG_SEV_WARNING, NULL,
			"event=backend-down relay=%s wait_ms=%llu reason=%s", backend,
			(unsigned long long)(wait_us / 1000), LOG_VALUE(bytes_str(reason)));
	else
		log_event(d->events, LOG_SEV_NOTICE, NULL, "event=backend-up relay=%s", backend);
}

/*
 * The bytes cannot be had: out of memory or descriptors, rotten on disk, or with a file that
 * somebody removed. What is left of the mail is the operator's then, never gone without a word.
 */
void delivery_unreadable(struct delivery *d, struct index_entry *e, int error)
{
	char text[REPLIES_TEXT_MAX];

	counter_inc(&d->counters.v[DELIVERY_UNREADABLE]);
	snprintf(text, sizeof(text), "451 4.3.0 cannot read the spool: %s", strerror(-error));
	delivery_remember_reply(d, e, text);
	if (error == -ENOENT || error == -EBADMSG)
		delivery_to_held(d, e, "held reason=unreadable");
	else
		delivery_to_deferred(d, e);
}

static void begin(struct delivery *d, struct index_entry *e)
{
	struct job *job;
	int r;

	wheel_disarm(&d->wheel, &e->timer);
	index_move(&d->index, e, DELIVERY_ACTIVE, false);
	r = job_open(d->log, e, &d->jobs, &job);
	if (r != 0)
		delivery_unreadable(d, e, r);
	else if (job_next(job))
		resume(d, job);
	else
		job_over(d, job);
}

/* No slot, or it cannot even be begun: later. */
static void begin_outgoing(struct delivery *d, struct index_entry *e)
{
	struct job *job;
	int r;

	wheel_disarm(&d->wheel, &e->timer);
	index_move(&d->index, e, DELIVERY_ACTIVE, false);
	r = job_open(d->log, e, &d->jobs, &job);
	if (r != 0) {
		delivery_unreadable(d, e, r);
	} else if (!job_next(job)) {
		job_over(d, job);
	} else if (!relay_send(d->relay, &job->mail)) {
		job_close(job);
		delivery_to_deferred(d, e);
	}
}

static void send_outgoing(struct delivery *d)
{
	struct index_list *list = &d->index.lists[DELIVERY_OUTGOING];

	while (d->relay && !d->finishing && d->notes.count < NOTES_MANY && list->first &&
		relay_has_room(d->relay))
		begin_outgoing(d, list->first);
}

static uint64_t waiting(const struct delivery *d)
{
	uint64_t n = d->index.lists[DELIVERY_WAITING].count;

	for (const struct job *job = d->resume; job; job = job->next)
		n++;
	return n;
}

void delivery_send(struct delivery *d)
{
	while (!d->finishing && d->notes.count < NOTES_MANY && d->own.count < DELIVERY_MAILS_MAX &&
		backends_take(d->backends)) {
		struct job *job = d->resume;

		if (!job) {
			if (!d->index.lists[DELIVERY_WAITING].first)
				break;
			begin(d, d->index.lists[DELIVERY_WAITING].first);
			continue;
		}
		d->resume = job->next;
		if (!backends_send(d->backends, &job->mail, d->now_us)) {
			resume(d, job);
			break;
		}
	}
	backends_flush(d->backends, d->now_us);
	backends_want(d->backends, (unsigned)(waiting(d) & INT32_MAX), d->now_us);
	send_outgoing(d);
}
