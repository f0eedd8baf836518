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

static void put_envelope(const struct mail *mail, struct text *out)
{
	const struct smtp_session *smtp = &mail->session->smtp;
	const struct smtp_transaction *t = &smtp->transaction;
	char ip[IP_ADDR_TEXT_MAX];
	unsigned n = 0;

	ip_addr_format(&mail->session->peer, ip);
	text_printf(out, "client [%s] helo %s\n", ip, LOG_VALUE(smtp->helo));
	text_printf(out, "from <%.*s>\n", BYTES_FMT(t->reverse_path.address));
	for (const struct smtp_recipient *r = t->first; r && n < RECIPIENTS_NAMED; r = r->next, n++)
		text_printf(out, "to <%.*s>\n", BYTES_FMT(r->path.address));
	if (t->n_recipients > n)
		text_printf(out, "and to %u more\n", t->n_recipients - n);
	text_printf(out, "%llu octets of content\n", (unsigned long long)mail->octets);
}

void mail_trace_put(const struct mail *mail, struct text *out)
{
	const struct policy_decision *d = &mail->decision;

	put_envelope(mail, out);
	auth_mail_trace(mail->auth, out);
	if (d->reason)
		text_printf(out, "+%llu decided: %s%s%s%s\n",
			(unsigned long long)(mail->decided_us - mail->begun_us),
			policy_action_word(d->action), d->reason[0] ? ", for " : "", d->reason,
			d->override ? " (local policy)" : "");
	mail_seal_tell(mail, out);
}

void mail_trace_keep(struct mail *mail, const char *end)
{
	struct worker *worker = mail->worker;
	char buffer[TRACE_RING_TEXT];
	struct text text;

	if (!worker->traces)
		return;
	text_init(&text, buffer, sizeof(buffer));
	if (mail->envelope.trace.data)
		text_put(&text, mail->envelope.trace);
	else
		mail_trace_put(mail, &text);
	/* The end is wanted most: it takes the place of the last steps. */
	if (text.len + strlen(end) + 1 > TRACE_RING_TEXT)
		text.len = TRACE_RING_TEXT - strlen(end) - 1;
	text.overflow = false;
	text_printf(&text, "%s\n", end);
	trace_ring_put(worker->traces, mail->queue_id, text_bytes(&text));
}
