#include "gateway/mail.h"

#include "gateway/mail_envelope.h"
#include "gateway/mail_seal.h"
#include "gateway/mail_stream.h"
#include "gateway/mail_trace.h"
#include "gateway/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Blocks of WORKER_MAIL_BLOCK for one mail: eight are what the largest envelope takes that a
 * session gathers, the others for ranges, fields, trace and seal. */
#define MAIL_BLOCKS_MAX 12
/* Octets of a mail that an auth lcore may have yet to take before its peer has to wait. */
#define MAIL_BEHIND_MAX (256u * 1024)

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

static void end_auth(struct mail *mail)
{
	mail->worker->verifier->forget(mail);
}

static void mail_free(struct mail *mail)
{
	struct worker *worker = mail->worker;

	end_auth(mail);
	mail_stream_forget(mail);
	if (mail->reserved)
		spool_log_unreserve(worker->spool, mail->reserved);
	release_chunks(mail);
	arena_fini(&mail->arena);
	slab_put(&worker->mails, mail);
}

void mail_post(struct mail *mail, const struct spool_request *request)
{
	mail->worker->mails_out++;
	/* Both rings hold WORKER_REQUESTS_PER_MAIL of all mails there may be, so there is room. */
	handoff_post(mail->worker->to_spooler, request);
}

/* There will be no commit: what the spool has of it is given up. */
static void mail_abandon(struct mail *mail)
{
	const struct spool_request request = {mail, NULL, SPOOL_REQUEST_ABORT};

	if (mail->octets_ahead == 0) {
		mail_free(mail);
		return;
	}
	end_auth(mail);
	mail_stream_forget(mail);
	release_chunks(mail);
	mail->session = NULL;
	mail->state = MAIL_ABORTING;
	worker_count(mail->worker, GATEWAY_STREAM_ABORTED);
	mail_post(mail, &request);
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
		.early = early_times(
			worker->asker.early, &session->peer, smtp->helo, worker->now_us),
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
	if (!worker->verifier->begin(mail, &envelope)) {
		mail_free(mail);
		return NULL;
	}
	worker_count(worker, GATEWAY_MAILS_BEGUN);
	return mail;
}

void mail_drop(struct mail *mail, const char *reason)
{
	char end[64];

	if (mail->state == MAIL_EVALUATING) {
		snprintf(end, sizeof(end), "given up before the verdict: %s", reason);
		mail_trace_keep(mail, end);
	}
	mail->session = NULL;
	if (mail->state != MAIL_COMMITTING)
		mail_abandon(mail);
}

/* --- content ------------------------------------------------------------------------------------
 */

bool mail_reserve(struct mail *mail)
{
	struct worker *worker = mail->worker;
	uint64_t octets = mail->session->smtp.transaction.size;

	if (octets == 0)
		octets = worker->config->limits.message_bytes;
	if (worker->pressure >= TCP_PRESSURE_BUSY ||
		chunk_pool_level(&worker->chunks) >= CHUNK_POOL_NO_NEW ||
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

/* More than SIZE declared has come: set aside what it may become. */
static bool reserve_more(struct mail *mail)
{
	uint64_t most = mail->worker->config->limits.message_bytes;

	if (mail->octets <= mail->reserved || most <= mail->reserved)
		return true;
	if (!spool_log_reserve(mail->worker->spool, most - mail->reserved))
		return false;
	mail->reserved = most;
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

static enum smtp_reply_id failure_reply(int error)
{
	return error == -ENOSPC ? SMTP_REPLY_NO_SPACE : SMTP_REPLY_LOCAL_ERROR;
}

static void log_refusal(struct mail *mail, const struct smtp_reply *refusal)
{
	char ip[IP_ADDR_TEXT_MAX];

	ip_addr_format(&mail->session->peer, ip);
	worker_count(mail->worker, GATEWAY_CONTENT_REFUSED);
	log_event(&mail->worker->log, LOG_SEV_NOTICE, mail->id,
		"event=reject stage=content code=%u status=%s client=[%s] text=%s", refusal->code,
		refusal->status, ip, LOG_VALUE(bytes_str(refusal->text)));
	mail_trace_keep(mail, refusal->text);
}

/* A stretch of content into the last chunk; the reply to refuse the mail with, or NULL. */
static const struct smtp_reply *take_stretch(struct mail *mail, struct bytes *content)
{
	struct chunk_range range;
	uint32_t n;

	if ((!mail->last || chunk_room(mail->last) == 0) && !add_chunk(mail)) {
		worker_count(mail->worker, GATEWAY_NO_CHUNK);
		return smtp_reply_get(SMTP_REPLY_NO_SPACE);
	}
	range = (struct chunk_range){mail->last, chunk_used(mail->last), 0};
	n = (uint32_t)chunk_append(mail->last, *content);
	range.to = range.from + n;
	mail->octets += n;
	*content = bytes_from(*content, n);
	if (!reserve_more(mail))
		return smtp_reply_get(SMTP_REPLY_NO_SPACE);
	return feed_reply(mail->worker->verifier->feed(mail, range));
}

const struct smtp_reply *mail_content(struct mail *mail, struct bytes content)
{
	const struct smtp_reply *refusal = NULL;

	counter_add(&mail->worker->counters.v[GATEWAY_CONTENT_OCTETS], content.len);
	if (mail->stream_error)
		refusal = smtp_reply_get(failure_reply(mail->stream_error));
	while (content.len > 0 && !refusal)
		refusal = take_stretch(mail, &content);
	if (refusal)
		log_refusal(mail, refusal);
	else if (mail->n_chunks > 1)
		mail_stream_note(mail);
	return refusal;
}

const struct smtp_reply *mail_content_end(struct mail *mail)
{
	const struct smtp_reply *refusal = feed_reply(mail->worker->verifier->end(mail));

	if (refusal) {
		log_refusal(mail, refusal);
		return refusal;
	}
	mail_stream_forget(mail);
	mail->state = MAIL_EVALUATING;
	mail->ended_us = mail->worker->now_us;
	return NULL;
}

bool mail_is_full(const struct mail *mail)
{
	return mail_stream_is_full(mail) || mail->worker->verifier->behind(mail) > MAIL_BEHIND_MAX;
}

void mail_refused(struct mail *mail, enum auth_feed why)
{
	const struct smtp_reply *refusal = feed_reply(why);
	struct session *session = mail->session;

	if (mail->state == MAIL_OPEN && !session_waits_for_content(session))
		return; /* it is refused with what comes next */
	log_refusal(mail, refusal);
	if (mail->state == MAIL_OPEN) {
		session_refuse(session, refusal);
		return;
	}
	mail_abandon(mail);
	session_answer(session, refusal, NULL);
}

void mail_give_up(struct mail *mail)
{
	mail->gave_up = true;
	worker_count(mail->worker, GATEWAY_IMPATIENT);
	mail->worker->verifier->give_up(mail);
}

/* --- the verdict --------------------------------------------------------------------------------
 */

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

static void commit(struct mail *mail, const struct auth_verdict *verdict)
{
	const struct spool_request request = {mail, NULL, SPOOL_REQUEST_COMMIT};
	struct worker *worker = mail->worker;
	struct session *session = mail->session;

	if (!mail_envelope_make(mail, verdict)) {
		worker_count(worker, GATEWAY_NO_MEMORY);
		log_event(&worker->log, LOG_SEV_ERROR, mail->id,
			"event=spool-failed error=no-memory");
		mail_trace_keep(mail, "deferred: no memory for the envelope");
		mail_abandon(mail);
		session_answer(session, smtp_reply_get(SMTP_REPLY_NO_SPACE), NULL);
		return;
	}
	end_auth(mail);
	mail->state = MAIL_COMMITTING;
	if (mail->seal) {
		worker->mails_out++;
		mail_seal_pass_on(mail);
	} else {
		mail_post(mail, &request);
	}
}

static void refuse(struct mail *mail)
{
	struct session *session = mail->session;
	struct policy_decision decision = mail->decision;

	worker_count(mail->worker,
		decision.action == POLICY_REJECT ? GATEWAY_REJECTED : GATEWAY_DEFERRED);
	mail_trace_keep(mail, decision.text[0] ? decision.text : decision.reply->text);
	mail_abandon(mail);
	session_answer(session, decision.reply, decision.text[0] ? decision.text : NULL);
}

void mail_verdict(struct mail *mail)
{
	const struct auth_verdict *verdict = auth_mail_verdict(mail->auth);

	mail->decided_us = mail->worker->now_us;
	policy_decide(&mail->worker->policy, &mail->session->peer, verdict, &mail->decision);
	if (mail->decision.override && verdict->dmarc.result == AUTH_FAIL)
		auth_mail_override(mail->auth, mail->decision.override);
	settle_for_recipients(mail);
	mail_trace_log(mail, verdict);
	if (mail->decision.action >= POLICY_REJECT)
		refuse(mail);
	else
		commit(mail, verdict);
}

static void count_accepted(struct mail *mail)
{
	struct worker *worker = mail->worker;

	worker_count(worker, GATEWAY_ACCEPTED);
	if (mail->decision.action == POLICY_QUARANTINE)
		worker_count(worker, GATEWAY_QUARANTINED);
	if (!mail->session)
		worker_count(worker, GATEWAY_ORPHANS);
	log_event(&worker->log, LOG_SEV_INFO, mail->id, "event=queued sender=%s commit_us=%llu",
		mail->session ? "told" : "gone",
		(unsigned long long)(worker->now_us - mail->ended_us));
	mail_trace_keep(mail, mail->session ? "queued" : "queued, but the sender was gone");
}

static void count_failed(struct mail *mail, int error)
{
	const char *name = strerrorname_np(-error);

	worker_count(mail->worker, GATEWAY_SPOOL_FAILED);
	log_event(&mail->worker->log, LOG_SEV_ERROR, mail->id, "event=spool-failed error=%s",
		name ? name : "unknown");
	mail_trace_keep(mail, "deferred: the spool could not keep it");
}

static void committed(struct mail *mail, int error)
{
	struct session *session = mail->session;
	enum smtp_reply_id id = SMTP_REPLY_QUEUED;
	char text[64];
	struct text queued;

	/* Why content could not go ahead says more than that there is none to commit. */
	if (error && mail->stream_error)
		error = mail->stream_error;
	if (error) {
		id = failure_reply(error);
		count_failed(mail, error);
	} else {
		count_accepted(mail);
	}
	text_init(&queued, text, sizeof(text));
	text_printf(&queued, "Ok: queued as %s", mail->id);
	mail_free(mail);
	if (session)
		session_answer(session, smtp_reply_get(id), error ? NULL : text_str(&queued));
}

void mail_answered(const struct spool_reply *reply)
{
	struct mail *mail = reply->mail;

	mail->worker->mails_out--;
	/* Replies come in the order of requests, so this is the last of the mail's. */
	if (reply->kind == SPOOL_REQUEST_COMMIT)
		committed(mail, reply->error);
	else if (reply->kind == SPOOL_REQUEST_ABORT)
		mail_free(mail);
	else
		mail_stream_taken(mail, reply->error);
}
