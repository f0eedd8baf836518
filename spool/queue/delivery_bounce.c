#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "spool/queue/delivery_priv.h"
#include "spool/relay/bounce.h"

/*
 * Bounces: made when an attempt is over, committed to the log like any mail, and only then the
 * recipients they tell of are done. A crash between the two makes a second bounce, never none.
 */

static bool is_told(const struct job_failure *f, bool expired)
{
	return !f->temporary || expired;
}

static uint32_t count_told(const struct job *job, bool expired)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < job->n_failures; i++)
		n += is_told(&job->failures[i], expired);
	return n;
}

static struct bounce_recipient *list_told(const struct job *job, bool expired, uint32_t n)
{
	struct bounce_recipient *list = calloc(n, sizeof(*list));

	for (uint32_t i = 0, at = 0; list && i < job->n_failures; i++) {
		const struct job_failure *f = &job->failures[i];

		if (is_told(f, expired))
			list[at++] = (struct bounce_recipient){
				.address = job->view.envelope.recipients[f->recipient].address,
				.status = f->dsn,
				.reply = f->text,
				.expired = f->temporary,
			};
	}
	return list;
}

static void ask_for(struct delivery *d, struct own_mail *m)
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
	text_printf(&t, "bounce of %s", queue_id_format(b->original_id, id));
	e->trace = text_bytes(&t);
}

static int make(struct delivery *d, struct job *job, bool expired, uint32_t n)
{
	const struct spool_envelope *e = &job->view.envelope;
	uint64_t unix_us = clock_unix_us();
	struct bounce_recipient *list = list_told(job, expired, n);
	struct bounce b = {
		.hostname = d->hostname,
		.now_unix_s = unix_us / SECOND_US,
		.original_id = e->queue_id,
		.arrival_unix_s = e->received_unix_us / SECOND_US,
		.reverse_path = e->reverse_path,
		.content = job->view.content,
		.recipients = list,
		.n_recipients = n,
	};
	struct own_mail *m = NULL;

	if (list)
		m = own_mail_new(&d->own, bounce_size_max(&b), e->reverse_path, n, unix_us);
	if (m) {
		write_content(m, &b);
		m->origin = job->entry;
		m->temporary = expired ? 0 : job->temporary;
		for (uint32_t i = 0; i < job->n_failures; i++)
			if (is_told(&job->failures[i], expired))
				m->numbers[m->n_numbers++] = job->failures[i].recipient;
		ask_for(d, m);
	}
	free(list);
	return m ? 1 : -ENOMEM;
}

int delivery_bounce(struct delivery *d, struct job *job, bool expired)
{
	uint32_t n = count_told(job, expired);

	if (!d->relay || n == 0 || job->entry->flags & INDEX_DELETE ||
		!bounce_may(&job->view.envelope, d->bounce_anyone))
		return 0;
	return make(d, job, expired, n);
}

void delivery_bounce_again(struct delivery *d)
{
	if (d->own.refused == 0 || d->now_us < d->own.retry_us)
		return;
	d->own.refused = 0;
	for (struct own_mail *m = d->own.all; m; m = m->next)
		if (m->refused) {
			m->refused = false;
			ask_for(d, m);
		}
}

static void say_bounced(struct delivery *d, const struct own_mail *m)
{
	char id[QUEUE_ID_TEXT_SIZE], origin[QUEUE_ID_TEXT_SIZE];

	log_event(d->events, LOG_SEV_INFO,
		queue_id_format(spool_item_queue_id(m->origin->item), origin),
		"event=bounced bounce=%s to=%s nrcpt=%u",
		queue_id_format(m->mail.envelope.queue_id, id), LOG_VALUE(m->to.address),
		m->n_numbers);
}

void delivery_committed(struct delivery *d, struct delivery_mail *mail)
{
	struct own_mail *m = (struct own_mail *)mail;
	struct index_entry *e = m->origin;
	uint32_t temporary = m->temporary;

	if (mail->error) {
		m->refused = true;
		d->own.refused++;
		d->own.retry_us = clock_mono_us() + OWN_MAIL_RETRY_US;
		return;
	}
	say_bounced(d, m);
	counter_inc(&d->counters.v[DELIVERY_BOUNCES]);
	counter_add(&d->counters.v[DELIVERY_BOUNCE], m->n_numbers);
	for (uint32_t i = 0; i < m->n_numbers; i++) {
		index_set_done(e, m->numbers[i]);
		delivery_note_done(d, e, m->numbers[i], SPOOL_BOUNCED);
	}
	d->now_us = clock_mono_us();
	delivery_add(d, mail->item, d->now_us);
	own_mail_free(&d->own, m);
	delivery_decide(d, e, temporary);
}
