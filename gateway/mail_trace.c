#include "gateway/mail_trace.h"

#include "gateway/mail_seal.h"
#include "gateway/session.h"

static const char *dkim_summary(const struct auth_verdict *verdict)
{
	enum auth_result best = AUTH_NONE;

	for (unsigned i = 0; i < verdict->n_dkim; i++)
		if (best != AUTH_PASS)
			best = verdict->dkim[i].result;
	return auth_result_word(best);
}

/* One line for the mail, with all that led to what became of it. */
void mail_trace_log(struct mail *mail, const struct auth_verdict *verdict)
{
	const struct smtp_session *smtp = &mail->session->smtp;
	const struct policy_decision *d = &mail->decision;
	char ip[IP_ADDR_TEXT_MAX];

	ip_addr_format(&mail->session->peer, ip);
	log_event(&mail->worker->log, d->action >= POLICY_REJECT ? LOG_SEV_NOTICE : LOG_SEV_INFO,
		mail->id,
		"event=%s client=%s[%s] helo=%s from=%s nrcpt=%u size=%llu spf=%s dkim=%s dmarc=%s "
		"arc=%s policy=%s from_domain=%s reason=%s override=%s verdict_us=%llu",
		policy_action_word(d->action),
		verdict->iprev.name.len ? LOG_VALUE(verdict->iprev.name) : "unknown", ip,
		LOG_VALUE(smtp->helo), LOG_VALUE(smtp->transaction.reverse_path.address),
		smtp->transaction.n_recipients, (unsigned long long)mail->octets,
		auth_result_word(verdict->spf.result), dkim_summary(verdict),
		auth_result_word(verdict->dmarc.result), auth_result_word(verdict->arc.result),
		verdict->dmarc.policy == DMARC_POLICY_ABSENT
			? "absent"
			: dmarc_policy_word(verdict->dmarc.policy),
		LOG_VALUE(verdict->dmarc.from_domain), d->reason[0] ? d->reason : "none",
		d->override ? "local_policy" : "none",
		(unsigned long long)(mail->decided_us - mail->ended_us));
}

/* --- for `postern trace` ------------------------------------------------------------------------
 */

/* Recipients that a trace names. */
#define RECIPIENTS_NAMED 5

/* Octets of a name or address that a trace tells. */
#define NAME_MAX_TOLD 320
/* Kept free for the decision, however much there was before. */
#define DECISION_ROOM 256

static void put_named(struct trace_writer *w, enum trace_kind kind, struct bytes name)
{
	trace_event(w, kind, TRACE_NO_TIME);
	trace_octets(w, bytes_slice(name, 0, NAME_MAX_TOLD));
	trace_end_event(w);
}

static void put_counted(struct trace_writer *w, enum trace_kind kind, uint64_t n)
{
	trace_event(w, kind, TRACE_NO_TIME);
	trace_number(w, n);
	trace_end_event(w);
}

static void put_envelope(const struct mail *mail, struct trace_writer *w)
{
	const struct smtp_session *smtp = &mail->session->smtp;
	const struct smtp_transaction *t = &smtp->transaction;
	unsigned n = 0;

	trace_event(w, TRACE_CLIENT, TRACE_NO_TIME);
	trace_octets(w, bytes_of(&mail->session->peer, sizeof(mail->session->peer)));
	trace_octets(w, bytes_slice(smtp->helo, 0, NAME_MAX_TOLD));
	trace_end_event(w);
	put_named(w, TRACE_FROM, t->reverse_path.address);
	for (const struct smtp_recipient *r = t->first; r && n < RECIPIENTS_NAMED; r = r->next, n++)
		put_named(w, TRACE_TO, r->path.address);
	if (t->n_recipients > n)
		put_counted(w, TRACE_MORE_TO, t->n_recipients - n);
	put_counted(w, TRACE_CONTENT, mail->octets);
}

static void put_decision(const struct mail *mail, struct trace_writer *w)
{
	const struct policy_decision *d = &mail->decision;

	if (!d->reason)
		return; /* there was none */
	trace_event(w, TRACE_DECIDED, mail->decided_us - mail->begun_us);
	trace_word(w, policy_action_word(d->action));
	trace_word(w, d->reason);
	trace_word(w, d->override ? d->override : "");
	trace_end_event(w);
}

struct bytes mail_trace_put(const struct mail *mail, uint8_t buffer[MAIL_TRACE_MAX])
{
	struct trace_writer w;

	trace_begin(&w, buffer, MAIL_TRACE_MAX - DECISION_ROOM);
	put_envelope(mail, &w);
	if (mail->auth) /* else an auth lcore has it yet */
		auth_mail_trace(mail->auth, &w);
	w.cap = MAIL_TRACE_MAX;
	if (w.lost > 0)
		put_counted(&w, TRACE_LOST, w.lost);
	put_decision(mail, &w);
	mail_seal_tell(mail, &w);
	return trace_record(&w);
}

void mail_trace_keep(struct mail *mail, const char *end)
{
	struct worker *worker = mail->worker;
	uint8_t buffer[TRACE_RING_RECORD];
	struct bytes record = mail->envelope.trace;
	struct trace_writer w;

	if (!worker->traces)
		return;
	if (record.data)
		memcpy(buffer, record.data, record.len);
	else
		record = mail_trace_put(mail, buffer);
	trace_resume(&w, buffer, record.len, sizeof(buffer));
	trace_event(&w, TRACE_END, worker->now_us - mail->begun_us);
	trace_octets(&w, bytes_slice(bytes_str(end), 0, NAME_MAX_TOLD));
	trace_end_event(&w);
	trace_ring_put(worker->traces, mail->queue_id, trace_record(&w));
}
