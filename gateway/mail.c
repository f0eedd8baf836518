#include "gateway/mail.h"

#include "auth/message/received.h"
#include "gateway/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Blocks of WORKER_MAIL_BLOCK for one mail: envelope, ranges and fields of the largest that is
 * taken. */
#define MAIL_BLOCKS_MAX 16

/* --- life and death -----------------------------------------------------------------------------
 */

static void release_chunks(struct mail *mail)
{
	for (struct chunk *chunk = mail->first, *next; chunk; chunk = next) {
		next = chunk->next;
		chunk_release(chunk);
	}
	mail->first = mail->last = NULL;
}

static void mail_free(struct mail *mail)
{
	struct worker *worker = mail->worker;

	if (mail->auth)
		auth_mail_end(mail->auth);
	if (mail->reserved)
		spool_log_unreserve(worker->spool, mail->reserved);
	release_chunks(mail);
	arena_fini(&mail->arena);
	slab_put(&worker->mails, mail);
}

struct mail *mail_begin(struct session *session)
{
	struct worker *worker = session->worker;
	const struct smtp_session *smtp = &session->smtp;
	struct mail *mail = slab_get(&worker->mails);
	struct auth_envelope envelope = {
		.client = session->peer,
		.helo = smtp->helo,
		.mail_from = smtp->transaction.reverse_path.address,
		.now_unix_s = worker->now_unix_us / 1000000,
	};

	if (!mail)
		return NULL;
	memset(mail, 0, sizeof(*mail));
	mail->worker = worker;
	mail->session = session;
	mail->begun_us = worker->now_us;
	arena_init(&mail->arena, &worker->mail_blocks, MAIL_BLOCKS_MAX);
	mail->queue_id = queue_id_next(&worker->ids, worker->now_unix_us);
	queue_id_format(mail->queue_id, mail->id);
	mail->auth = auth_mail_begin(worker->auth, &envelope, worker->now_us);
	if (!mail->auth) {
		mail_free(mail);
		return NULL;
	}
	auth_mail_set_user(mail->auth, mail);
	worker_count(worker, GATEWAY_MAILS_BEGUN);
	return mail;
}

void mail_drop(struct mail *mail)
{
	mail->session = NULL;
	if (mail->state != MAIL_COMMITTING)
		mail_free(mail);
}

/* --- content ------------------------------------------------------------------------------------
 */

bool mail_reserve(struct mail *mail)
{
	struct worker *worker = mail->worker;
	uint64_t octets = mail->session->smtp.transaction.size;

	if (octets == 0)
		octets = worker->config->limits.message_bytes;
	if (chunk_pool_level(&worker->chunks) >= CHUNK_POOL_NO_NEW ||
		!spool_log_reserve(worker->spool, octets))
		return false;
	mail->reserved = octets;
	return true;
}

static bool add_chunk(struct mail *mail)
{
	struct chunk *chunk =
		chunk_get(&mail->worker->chunks, mail->first ? CHUNK_LARGE : CHUNK_SMALL);

	if (!chunk)
		return false;
	if (mail->last)
		mail->last->next = chunk;
	else
		mail->first = chunk;
	mail->last = chunk;
	mail->n_chunks++;
	return true;
}

static const struct smtp_reply *feed_reply(enum auth_feed fed)
{
	switch (fed) {
	case AUTH_FEED_OK: return NULL;
	case AUTH_FEED_HEADER_TOO_LARGE: return smtp_reply_get(SMTP_REPLY_HEADER_TOO_BIG);
	case AUTH_FEED_LOOP: return smtp_reply_get(SMTP_REPLY_LOOP);
	case AUTH_FEED_NO_MEMORY: return smtp_reply_get(SMTP_REPLY_NO_SPACE);
	}
	return NULL;
}

static void log_refusal(struct mail *mail, const struct smtp_reply *refusal)
{
	worker_count(mail->worker, GATEWAY_CONTENT_REFUSED);
	log_event(&mail->worker->log, LOG_SEV_NOTICE, mail->id,
		"event=reject stage=content code=%u status=%s text=%s", refusal->code,
		refusal->status, LOG_VALUE(bytes_str(refusal->text)));
}

const struct smtp_reply *mail_content(struct mail *mail, struct bytes content)
{
	struct worker *worker = mail->worker;
	const struct smtp_reply *refusal = NULL;

	counter_add(&worker->counters.v[GATEWAY_CONTENT_OCTETS], content.len);
	while (content.len > 0 && !refusal) {
		uint8_t *at;
		size_t n;

		if ((!mail->last || chunk_room(mail->last) == 0) && !add_chunk(mail)) {
			worker_count(worker, GATEWAY_NO_CHUNK);
			refusal = smtp_reply_get(SMTP_REPLY_NO_SPACE);
			break;
		}
		at = chunk_tail(mail->last);
		n = chunk_append(mail->last, content);
		mail->octets += n;
		content = bytes_from(content, n);
		refusal =
			feed_reply(auth_mail_content(mail->auth, bytes_of(at, n), worker->now_us));
	}
	if (refusal)
		log_refusal(mail, refusal);
	return refusal;
}

const struct smtp_reply *mail_content_end(struct mail *mail)
{
	const struct smtp_reply *refusal =
		feed_reply(auth_mail_content_end(mail->auth, mail->worker->now_us));

	mail->state = MAIL_EVALUATING;
	mail->ended_us = mail->worker->now_us;
	if (refusal)
		log_refusal(mail, refusal);
	return refusal;
}

void mail_give_up(struct mail *mail)
{
	worker_count(mail->worker, GATEWAY_IMPATIENT);
	auth_mail_give_up(mail->auth, mail->worker->now_us);
}

/* --- the verdict --------------------------------------------------------------------------------
 */

static const char *dkim_summary(const struct auth_verdict *verdict)
{
	enum auth_result best = AUTH_NONE;

	for (unsigned i = 0; i < verdict->n_dkim; i++)
		if (best != AUTH_PASS)
			best = verdict->dkim[i].result;
	return auth_result_word(best);
}

/* One line for the mail, with all that led to what became of it. */
static void log_verdict(struct mail *mail, const struct auth_verdict *verdict)
{
	const struct smtp_session *smtp = &mail->session->smtp;
	const struct policy_decision *d = &mail->decision;
	char ip[IP_ADDR_TEXT_MAX];

	ip_addr_format(&mail->session->peer, ip);
	log_event(&mail->worker->log, d->action >= POLICY_REJECT ? LOG_SEV_NOTICE : LOG_SEV_INFO,
		mail->id,
		"event=%s client=%s[%s] helo=%s from=%s nrcpt=%u size=%llu spf=%s dkim=%s dmarc=%s "
		"policy=%s from_domain=%s reason=%s verdict_us=%llu",
		policy_action_word(d->action), LOG_VALUE(verdict->iprev.name), ip,
		LOG_VALUE(smtp->helo), LOG_VALUE(smtp->transaction.reverse_path.address),
		smtp->transaction.n_recipients, (unsigned long long)mail->octets,
		auth_result_word(verdict->spf.result), dkim_summary(verdict),
		auth_result_word(verdict->dmarc.result),
		verdict->dmarc.policy == DMARC_POLICY_ABSENT
			? "absent"
			: dmarc_policy_word(verdict->dmarc.policy),
		LOG_VALUE(verdict->dmarc.from_domain), d->reason[0] ? d->reason : "none",
		(unsigned long long)(mail->worker->now_us - mail->ended_us));
}

/*
 * Several recipients, one reply: the mail is refused only if every recipient's policy refuses.
 * Postmaster's never does (DESIGN §7); then the others get it as quarantine.
 */
static void settle_for_recipients(struct mail *mail)
{
	const struct smtp_recipient *r;
	struct policy_decision *d = &mail->decision;

	if (d->action < POLICY_REJECT)
		return;
	for (r = mail->session->smtp.transaction.first; r && !r->user; r = r->next)
		;
	if (r)
		d->action = POLICY_QUARANTINE;
}

static bool make_ranges(struct mail *mail)
{
	unsigned i = 0;

	mail->ranges = arena_alloc(&mail->arena, (mail->n_chunks + 1) * sizeof(*mail->ranges),
		_Alignof(struct chunk_range));
	if (!mail->ranges)
		return false;
	for (struct chunk *chunk = mail->first; chunk; chunk = chunk->next)
		mail->ranges[i++] = (struct chunk_range){chunk, 0, chunk_used(chunk)};
	mail->n_ranges = i;
	return true;
}

static bool make_recipients(struct mail *mail)
{
	const struct smtp_transaction *t = &mail->session->smtp.transaction;
	struct spool_recipient *to = arena_zalloc(
		&mail->arena, t->n_recipients * sizeof(*to), _Alignof(struct spool_recipient));
	unsigned i = 0;

	if (!to)
		return false;
	for (const struct smtp_recipient *r = t->first; r; r = r->next, i++) {
		to[i].address = r->path.domain.len
					? arena_dup(&mail->arena, r->path.address)
					: recipients_postmaster(mail->worker->recipients);
		if (mail->decision.action == POLICY_QUARANTINE && !r->user)
			to[i].flags = SPOOL_RCPT_QUARANTINE;
		if (!to[i].address.data)
			return false;
	}
	mail->envelope.recipients = to;
	mail->envelope.n_recipients = i;
	return true;
}

static bool make_cuts(struct mail *mail)
{
	struct auth_cut found[AUTH_MAX_CUTS];
	unsigned n = auth_mail_cuts(mail->auth, found, AUTH_MAX_CUTS);
	struct spool_cut *cuts =
		arena_alloc(&mail->arena, (n + 1) * sizeof(*cuts), _Alignof(struct spool_cut));

	if (!cuts)
		return false;
	for (unsigned i = 0; i < n; i++)
		cuts[i] = (struct spool_cut){found[i].from, found[i].to};
	mail->envelope.cuts = cuts;
	mail->envelope.n_cuts = n;
	return true;
}

/* Authentication-Results and Received, newest on top (RFC 8601 §4.1). */
static bool make_prepend(struct mail *mail, const struct auth_verdict *verdict)
{
	const struct smtp_session *smtp = &mail->session->smtp;
	size_t room = arena_alloc_max(&mail->arena);
	char *buffer = arena_alloc(&mail->arena, room, 1);
	struct received info = {
		.helo = smtp->helo,
		.client_name = verdict->iprev.name,
		.client = mail->session->peer,
		.host = bytes_str(mail->worker->config->hostname),
		.protocol = smtp->esmtp ? BYTES("ESMTP") : BYTES("SMTP"),
		.queue_id = bytes_str(mail->id),
		.unix_s = mail->worker->now_unix_us / 1000000,
	};
	struct text text;

	if (!buffer)
		return false;
	if (smtp->transaction.n_recipients == 1)
		info.recipient = mail->envelope.recipients[0].address;
	text_init(&text, buffer, room);
	text_put(&text, verdict->authentication_results);
	received_put(&info, &text);
	mail->envelope.prepend = text_bytes(&text);
	return !text.overflow;
}

static bool make_trace(struct mail *mail)
{
	size_t room = 4096;
	char *buffer = arena_alloc(&mail->arena, room, 1);
	struct text text;

	if (!buffer)
		return false;
	text_init(&text, buffer, room);
	auth_mail_trace(mail->auth, &text);
	mail->envelope.trace = text_bytes(&text);
	return true;
}

static bool make_client(struct mail *mail, const struct auth_verdict *verdict)
{
	char ip[IP_ADDR_TEXT_MAX];

	ip_addr_format(&mail->session->peer, ip);
	mail->envelope.client = arena_printf(&mail->arena, "%.*s[%s]",
		(int)(verdict->iprev.name.len ? verdict->iprev.name.len : 7),
		verdict->iprev.name.len ? (const char *)verdict->iprev.name.data : "unknown", ip);
	return mail->envelope.client.data != NULL;
}

static uint32_t envelope_flags(const struct mail *mail)
{
	const struct smtp_session *smtp = &mail->session->smtp;
	uint32_t flags = 0;

	if (smtp->transaction.body == SMTP_BODY_8BITMIME || (smtp->data.flaws & SMTP_DATA_8BIT))
		flags |= SPOOL_MAIL_8BIT;
	if (smtp->data.flaws & (SMTP_DATA_BARE_CR | SMTP_DATA_BARE_LF))
		flags |= SPOOL_MAIL_BARE_EOL;
	return flags;
}

/* All that the commit record says; false where the mail's memory does not hold it. */
static bool make_envelope(struct mail *mail, const struct auth_verdict *verdict)
{
	struct spool_envelope *e = &mail->envelope;

	e->queue_id = mail->queue_id;
	e->received_unix_us = mail->worker->now_unix_us;
	e->content_octets = mail->octets;
	e->flags = envelope_flags(mail);
	e->reverse_path =
		arena_dup(&mail->arena, mail->session->smtp.transaction.reverse_path.address);
	e->quarantine_prepend = BYTES("X-Postern-Quarantine: yes\r\n");
	return e->reverse_path.data && make_ranges(mail) && make_recipients(mail) &&
	       make_cuts(mail) && make_prepend(mail, verdict) && make_trace(mail) &&
	       make_client(mail, verdict);
}

static void commit(struct mail *mail, const struct auth_verdict *verdict)
{
	struct worker *worker = mail->worker;
	struct session *session = mail->session;

	if (!make_envelope(mail, verdict)) {
		mail_free(mail);
		session_answer(session, smtp_reply_get(SMTP_REPLY_NO_SPACE), NULL);
		return;
	}
	auth_mail_end(mail->auth);
	mail->auth = NULL;
	mail->state = MAIL_COMMITTING;
	worker->mails_out++;
	/* Both rings hold as many as there are mails, so there is room. */
	handoff_post(worker->to_spooler, &mail);
}

static void refuse(struct mail *mail)
{
	struct session *session = mail->session;
	struct policy_decision decision = mail->decision;

	worker_count(mail->worker,
		decision.action == POLICY_REJECT ? GATEWAY_REJECTED : GATEWAY_DEFERRED);
	mail_free(mail);
	session_answer(session, decision.reply, decision.text[0] ? decision.text : NULL);
}

void mail_verdict(struct mail *mail)
{
	const struct auth_verdict *verdict = auth_mail_verdict(mail->auth);

	policy_decide(&mail->worker->policy, verdict, &mail->decision);
	settle_for_recipients(mail);
	log_verdict(mail, verdict);
	if (mail->decision.action >= POLICY_REJECT)
		refuse(mail);
	else
		commit(mail, verdict);
}

void mail_committed(struct mail *mail, int error)
{
	struct worker *worker = mail->worker;
	struct session *session = mail->session;
	char text[64];

	worker->mails_out--;
	if (error) {
		worker_count(worker, GATEWAY_SPOOL_FAILED);
		log_event(&worker->log, LOG_SEV_ERROR, mail->id, "event=spool-failed error=%s",
			LOG_VALUE(bytes_str(strerrorname_np(-error))));
	} else {
		worker_count(worker, GATEWAY_ACCEPTED);
		if (mail->decision.action == POLICY_QUARANTINE)
			worker_count(worker, GATEWAY_QUARANTINED);
		log_event(&worker->log, LOG_SEV_INFO, mail->id, "event=queued commit_us=%llu",
			(unsigned long long)(worker->now_us - mail->ended_us));
		if (!session)
			worker_count(worker, GATEWAY_ORPHANS);
	}
	snprintf(text, sizeof(text), "Ok: queued as %s", mail->id);
	mail_free(mail);
	if (!session)
		return;
	if (error)
		session_answer(session,
			smtp_reply_get(
				error == -ENOSPC ? SMTP_REPLY_NO_SPACE : SMTP_REPLY_LOCAL_ERROR),
			NULL);
	else
		session_answer(session, smtp_reply_get(SMTP_REPLY_QUEUED), text);
}
