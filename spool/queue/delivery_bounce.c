#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "spool/queue/delivery_priv.h"
#include "spool/relay/bounce.h"

/*
 * Reports to senders (RFC 3464): made when an attempt is over, committed to the log like any mail,
 * and only then the recipients that they say have failed are done. A crash between the two makes a
 * second report, never none. A warning keeps nobody waiting.
 */

/* What the report says of the result, if it says anything. */
static bool action_of(
	const struct job_result *r, enum delivery_report what, enum bounce_action *action)
{
	if (what == DELIVERY_REPORT_DELAY) {
		*action = BOUNCE_DELAYED;
		return r->outcome == LMTP_TEMPORARY;
	}
	*action = r->outcome == LMTP_DELIVERED ? BOUNCE_DELIVERED : BOUNCE_FAILED;
	return r->outcome != LMTP_TEMPORARY || what == DELIVERY_REPORT_EXPIRY;
}

static bool is_told(const struct job *job, const struct job_result *r, enum delivery_report what,
	enum bounce_action *action)
{
	return action_of(r, what, action) &&
	       bounce_wanted(&job->view.envelope.recipients[r->recipient], *action);
}

static uint32_t count_told(const struct job *job, enum delivery_report what)
{
	enum bounce_action action;
	uint32_t n = 0;

	for (uint32_t i = 0; i < job->n_results; i++)
		n += is_told(job, &job->results[i], what, &action);
	return n;
}

static struct bounce_recipient *list_told(
	const struct job *job, enum delivery_report what, uint32_t n)
{
	struct bounce_recipient *list = calloc(n, sizeof(*list));
	enum bounce_action action;

	for (uint32_t i = 0, at = 0; list && i < job->n_results; i++) {
		const struct job_result *r = &job->results[i];
		const struct spool_recipient *to = &job->view.envelope.recipients[r->recipient];

		if (is_told(job, r, what, &action))
			list[at++] = (struct bounce_recipient){
				.address = to->address,
				.orcpt = to->orcpt,
				.action = action,
				.status = r->dsn,
				.reply = r->text,
				.expired = action == BOUNCE_FAILED && r->outcome == LMTP_TEMPORARY,
			};
	}
	return list;
}

void delivery_ask_for(struct delivery *d, struct own_mail *m)
{
	struct delivery_note note = {.queue_id = m->mail.envelope.queue_id,
		.kind = DELIVERY_NOTE_MAIL,
		.mail = &m->mail};

	notes_put(&d->notes, &note);
}

/* Writes the content, now that the mail has its queue id. */
static void write_content(struct own_mail *m, struct bounce *b)
{
	struct spool_envelope *e = &m->mail.envelope;
	char id[QUEUE_ID_TEXT_SIZE];
	struct text t;

	b->queue_id = e->queue_id;
	text_init(&t, m->content, m->room);
	bounce_put(b, &t);
	m->mail.content = text_bytes(&t);
	e->content_octets = t.len;
	text_init(&t, m->trace, sizeof(m->trace));
	text_printf(&t, "report on %s", queue_id_format(b->original_id, id));
	e->trace = text_bytes(&t);
}

/* Those that the report says have failed; the origin waits for it, but not for a warning. */
static void bind_origin(
	struct own_mail *m, struct job *job, enum delivery_report what, const struct bounce *b)
{
	enum bounce_action action;

	m->original_id = b->original_id;
	if (what == DELIVERY_REPORT_DELAY)
		return;
	m->origin = job->entry;
	m->temporary = what == DELIVERY_REPORT_EXPIRY ? 0 : job->temporary;
	for (uint32_t i = 0; i < job->n_results; i++)
		if (is_told(job, &job->results[i], what, &action) && action == BOUNCE_FAILED)
			m->numbers[m->n_numbers++] = job->results[i].recipient;
}

static int make(struct delivery *d, struct job *job, enum delivery_report what, uint32_t n)
{
	const struct spool_envelope *e = &job->view.envelope;
	uint64_t unix_us = clock_unix_us(), until_us = delivery_expiry_us(job->entry);
	struct bounce_recipient *list = list_told(job, what, n);
	struct bounce b = {
		.hostname = d->hostname,
		.now_unix_s = unix_us / SECOND_US,
		.original_id = e->queue_id,
		.arrival_unix_s = e->received_unix_us / SECOND_US,
		.retry_until_unix_s =
			(unix_us + (until_us > d->now_us ? until_us - d->now_us : 0)) / SECOND_US,
		.reverse_path = e->reverse_path,
		.envid = e->envid,
		.content = job->view.content,
		.full = what != DELIVERY_REPORT_DELAY && e->flags & SPOOL_MAIL_RET_FULL &&
			!job->view.partial,
		.recipients = list,
		.n_recipients = n,
	};
	struct own_mail *m = NULL;

	if (list)
		m = own_mail_new(&d->own, bounce_size_max(&b), e->reverse_path, n, unix_us);
	if (m) {
		write_content(m, &b);
		bind_origin(m, job, what, &b);
		delivery_ask_for(d, m);
	}
	free(list);
	return m ? 1 : -ENOMEM;
}

int delivery_report(struct delivery *d, struct job *job, enum delivery_report what)
{
	uint32_t n = count_told(job, what);

	if (!d->relay || n == 0 || job->entry->flags & INDEX_DELETE ||
		!bounce_may(&job->view.envelope, d->bounce_anyone))
		return 0;
	return make(d, job, what, n);
}

void delivery_bounce_again(struct delivery *d)
{
	if (d->own.refused == 0 || d->now_us < d->own.retry_us)
		return;
	d->own.refused = 0;
	for (struct own_mail *m = d->own.all; m; m = m->next)
		if (m->refused) {
			m->refused = false;
			delivery_ask_for(d, m);
		}
}

static void say_reported(struct delivery *d, const struct own_mail *m)
{
	char id[QUEUE_ID_TEXT_SIZE], origin[QUEUE_ID_TEXT_SIZE];

	if (m->original_id == 0)
		return;
	log_event(d->events, LOG_SEV_INFO, queue_id_format(m->original_id, origin),
		"event=%s bounce=%s to=%s nrcpt=%u", m->origin ? "bounced" : "warned",
		queue_id_format(m->mail.envelope.queue_id, id), LOG_VALUE(m->to.address),
		m->n_numbers);
}

/* What waited for the report goes on. */
static void settle_origin(struct delivery *d, const struct own_mail *m)
{
	counter_inc(&d->counters.v[DELIVERY_BOUNCES]);
	counter_add(&d->counters.v[DELIVERY_BOUNCE], m->n_numbers);
	for (uint32_t i = 0; i < m->n_numbers; i++) {
		index_set_done(m->origin, m->numbers[i]);
		delivery_note_done(d, m->origin, m->numbers[i], SPOOL_BOUNCED);
	}
	delivery_decide(d, m->origin, m->temporary);
}

void delivery_committed(struct delivery *d, struct delivery_mail *mail)
{
	struct own_mail *m = (struct own_mail *)mail;

	if (mail->error) {
		m->refused = true;
		d->own.refused++;
		d->own.retry_us = clock_mono_us() + OWN_MAIL_RETRY_US;
		return;
	}
	say_reported(d, m);
	d->now_us = clock_mono_us();
	delivery_add(d, mail->item, d->now_us);
	if (m->origin)
		settle_origin(d, m);
	own_mail_free(&d->own, m);
}
