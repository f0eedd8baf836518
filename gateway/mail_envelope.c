#include "gateway/mail_envelope.h"

#include "auth/message/received.h"
#include "gateway/mail_seal.h"
#include "gateway/mail_trace.h"
#include "gateway/session.h"

_Static_assert(CONFIG_MAX_RECIPIENTS * sizeof(struct spool_recipient) + 64 <= WORKER_MAIL_BLOCK,
	"a block holds the recipients of any mail");

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
					: arena_dup(&mail->arena,
						  recipients_postmaster(mail->worker->recipients));
		if (mail->decision.action == POLICY_QUARANTINE && !r->user)
			to[i].flags = SPOOL_RCPT_QUARANTINE;
		to[i].notify = r->notify;
		if (r->orcpt.len > 0)
			to[i].orcpt = arena_dup(&mail->arena, r->orcpt);
		if (!to[i].address.data || (r->orcpt.len > 0 && !to[i].orcpt.data))
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
	struct worker *worker = mail->worker;
	struct received info = {
		.helo = smtp->helo,
		.client_name = verdict->iprev.name,
		.client = mail->session->peer,
		.host = bytes_str(worker->smtp.hostname),
		.protocol = smtp->esmtp ? BYTES("ESMTP") : BYTES("SMTP"),
		.queue_id = bytes_str(mail->id),
		.unix_s = worker->now_unix_us / 1000000,
	};
	struct text text;

	if (smtp->transaction.n_recipients == 1)
		info.recipient = mail->envelope.recipients[0].address;
	text_init(&text, worker->scratch, WORKER_SCRATCH);
	text_put(&text, verdict->authentication_results);
	received_put(&info, &text);
	mail->envelope.prepend = arena_dup(&mail->arena, text_bytes(&text));
	return !text.overflow && mail->envelope.prepend.data;
}

static bool make_trace(struct mail *mail)
{
	uint8_t buffer[MAIL_TRACE_MAX];

	mail_seal_prepare(mail);
	mail->envelope.trace = arena_dup(&mail->arena, mail_trace_put(mail, buffer));
	return mail->envelope.trace.data != NULL;
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

/* `domain` is `of` or below it. */
static bool is_within(struct bytes domain, struct bytes of)
{
	size_t more = domain.len - of.len;

	return of.len > 0 && domain.len >= of.len &&
	       bytes_eq_nocase(bytes_from(domain, more), of) &&
	       (more == 0 || domain.data[more - 1] == '.');
}

/*
 * Whether the reverse-path is the sender's own, so that a bounce hits nobody else: SPF passed for
 * it, or DMARC for an author domain that it belongs to. A DMARC pass of some other domain says
 * nothing: whoever forges a reverse-path may have an honest From.
 */
static bool is_authentic(const struct mail *mail, const struct auth_verdict *verdict)
{
	struct bytes domain = mail->session->smtp.transaction.reverse_path.domain;

	if (domain.len == 0)
		return false;
	return (verdict->spf.result == AUTH_PASS && verdict->spf.scope == SPF_MFROM) ||
	       (verdict->dmarc.result == AUTH_PASS &&
		       (is_within(domain, verdict->dmarc.from_domain) ||
			       is_within(domain, verdict->dmarc.org_domain)));
}

static uint32_t envelope_flags(const struct mail *mail, const struct auth_verdict *verdict)
{
	const struct smtp_session *smtp = &mail->session->smtp;
	uint32_t flags = 0;

	if (smtp->transaction.body == SMTP_BODY_8BITMIME || (smtp->data.flaws & SMTP_DATA_8BIT))
		flags |= SPOOL_MAIL_8BIT;
	if (smtp->data.flaws & (SMTP_DATA_BARE_CR | SMTP_DATA_BARE_LF))
		flags |= SPOOL_MAIL_BARE_EOL;
	if (is_authentic(mail, verdict))
		flags |= SPOOL_MAIL_SENDER_AUTHENTIC;
	if (smtp->transaction.ret == DSN_RET_FULL)
		flags |= SPOOL_MAIL_RET_FULL;
	if (smtp->transaction.ret == DSN_RET_HDRS)
		flags |= SPOOL_MAIL_RET_HDRS;
	return flags;
}

bool mail_envelope_make(struct mail *mail, const struct auth_verdict *verdict)
{
	struct spool_envelope *e = &mail->envelope;

	e->queue_id = mail->queue_id;
	e->received_unix_us = mail->worker->now_unix_us;
	e->content_octets = mail->octets;
	e->flags = envelope_flags(mail, verdict);
	e->reverse_path =
		arena_dup(&mail->arena, mail->session->smtp.transaction.reverse_path.address);
	e->envid = arena_dup(&mail->arena, mail->session->smtp.transaction.envid);
	e->quarantine_prepend = BYTES("X-Postern-Quarantine: yes\r\n");
	return e->reverse_path.data && e->envid.data && make_ranges(mail) &&
	       make_recipients(mail) && make_cuts(mail) && make_prepend(mail, verdict) &&
	       make_trace(mail) && make_client(mail, verdict);
}
