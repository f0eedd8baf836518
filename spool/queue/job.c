#include "spool/queue/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void join(struct job *job, struct job **all)
{
	job->all_next = *all;
	job->all_link = all;
	if (*all)
		(*all)->all_link = &job->all_next;
	*all = job;
}

int job_open(struct spool_log *log, struct index_entry *entry, struct job **all, struct job **out)
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	r = spool_item_relay(entry->item) ? spool_view_open(log, entry->item, &job->view)
					  : spool_view_open_partly(log, entry->item, &job->view);
	if (r != 0) {
		free(job);
		return r;
	}
	join(job, all);
	job->entry = entry;
	job->numbers = calloc(job->view.envelope.n_recipients, sizeof(*job->numbers));
	job->mail.recipients =
		calloc(job->view.envelope.n_recipients, sizeof(*job->mail.recipients));
	if (!job->numbers || !job->mail.recipients) {
		job_close(job);
		return -ENOMEM;
	}
	*out = job;
	return 0;
}

void job_close(struct job *job)
{
	*job->all_link = job->all_next;
	if (job->all_next)
		job->all_next->all_link = job->all_link;
	spool_view_close(&job->view);
	free(job->results);
	free(job->numbers);
	free(job->mail.recipients);
	free(job);
}

int job_remember(struct job *job, uint32_t recipient, enum lmtp_outcome outcome, const char *dsn,
	const char *text)
{
	struct job_result *r;

	if (!job->results)
		job->results = calloc(job->view.envelope.n_recipients, sizeof(*job->results));
	if (!job->results)
		return -ENOMEM;
	r = &job->results[job->n_results++];
	r->recipient = recipient;
	r->outcome = outcome;
	snprintf(r->dsn, sizeof(r->dsn), "%s", dsn);
	snprintf(r->text, sizeof(r->text), "%s", text);
	return 0;
}

static enum job_group group_of(const struct spool_envelope *e, uint32_t recipient)
{
	return e->flags & SPOOL_MAIL_QUARANTINE ||
			       e->recipients[recipient].flags & SPOOL_RCPT_QUARANTINE
		       ? JOB_QUARANTINE
		       : JOB_PLAIN;
}

static void gather(struct job *job)
{
	const struct spool_envelope *e = &job->view.envelope;
	struct lmtp_mail *m = &job->mail;

	m->n_recipients = 0;
	for (uint32_t i = 0; i < e->n_recipients; i++) {
		if (group_of(e, i) != job->group || index_is_done(job->entry, i) ||
			index_is_failed(job->entry, i))
			continue;
		m->recipients[m->n_recipients] = (struct lmtp_recipient){
			.address = e->recipients[i].address,
			.notify = e->recipients[i].notify,
			.orcpt = e->recipients[i].orcpt,
		};
		job->numbers[m->n_recipients++] = i;
	}
}

static void add_part(struct job *job, struct bytes part)
{
	if (part.len)
		job->parts[job->mail.n_parts++] = part;
}

/* What is at hand of the content, which starts at octet `from` of it, without the cuts. */
static void add_content(struct job *job, uint64_t from)
{
	const struct spool_envelope *e = &job->view.envelope;
	struct bytes content = job->view.content;
	uint64_t at = from, to = from + content.len;

	for (uint32_t i = 0; i < e->n_cuts && e->cuts[i].from < to; i++) {
		if (e->cuts[i].to <= at)
			continue;
		if (e->cuts[i].from > at)
			add_part(job, bytes_slice(content, at - from, e->cuts[i].from - at));
		at = e->cuts[i].to;
	}
	if (at < to)
		add_part(job, bytes_from(content, at - from));
}

/* The next pieces of content that is not all cut. */
static int more_content(struct lmtp_mail *mail)
{
	struct job *job = job_of(mail);

	mail->n_parts = 0;
	while (mail->n_parts == 0 && job->content_at < job->view.envelope.content_octets) {
		int r = spool_view_piece(&job->view, job->content_at);

		if (r != 0)
			return r;
		if (job->view.content.len == 0)
			return -EBADMSG;
		add_content(job, job->content_at);
		job->content_at += job->view.content.len;
	}
	return 0;
}

/* What is sent: fields in front, then the content without the cuts. */
static void assemble(struct job *job)
{
	const struct spool_envelope *e = &job->view.envelope;

	job->mail.n_parts = 0;
	job->mail.parts = job->parts;
	job->mail.more = NULL;
	job->mail.more_octets = 0;
	if (job->group == JOB_QUARANTINE)
		add_part(job, e->quarantine_prepend);
	add_part(job, e->prepend);
	if (!job->view.partial) {
		add_content(job, 0);
		return;
	}
	job->content_at = 0;
	job->mail.more = more_content;
	job->mail.more_octets = e->content_octets;
	for (uint32_t i = 0; i < e->n_cuts; i++)
		job->mail.more_octets -= e->cuts[i].to - e->cuts[i].from;
}

void job_again(struct job *job)
{
	assemble(job);
}

void job_rewind(struct job *job)
{
	if (job->view.partial)
		spool_view_piece(&job->view, 0);
}

static uint8_t ret_of(uint32_t flags)
{
	if (flags & SPOOL_MAIL_RET_FULL)
		return DSN_RET_FULL;
	return flags & SPOOL_MAIL_RET_HDRS ? DSN_RET_HDRS : DSN_RET_NONE;
}

bool job_next(struct job *job)
{
	const struct spool_envelope *e = &job->view.envelope;

	job->mail.reverse_path = e->reverse_path;
	job->mail.eight_bit = (e->flags & SPOOL_MAIL_8BIT) != 0;
	job->mail.utf8 = (e->flags & SPOOL_MAIL_UTF8) != 0;
	job->mail.bare_eol = (e->flags & SPOOL_MAIL_BARE_EOL) != 0;
	job->mail.ret = ret_of(e->flags);
	job->mail.envid = e->envid;
	for (; job->group < JOB_GROUPS; job->group++) {
		gather(job);
		if (job->mail.n_recipients) {
			assemble(job);
			return true;
		}
	}
	return false;
}
