/* What the SMTP session asks, and what it is answered. */
#include "gateway/mail.h"
#include "gateway/session_priv.h"

static void answer(struct session *session, enum smtp_reply_id id, struct text *out)
{
	smtp_session_answer(&session->smtp, smtp_reply_get(id), NULL, 0, out);
}

/* What any mail of this client will need is looked up now (DESIGN §4.2), and the cache keeps it:
 * once for a session, so that greetings alone ask little. */
static void on_helo(struct session *session)
{
	struct worker *worker = session->worker;

	if (session->asked_early)
		return;
	session->asked_early = true;
	early_ask(worker->asker.early, &session->peer, session->smtp.helo, worker->now_us);
}

static void on_mail(struct session *session, struct text *out)
{
	session->mail = mail_begin(session);
	answer(session, session->mail ? SMTP_REPLY_SENDER_OK : SMTP_REPLY_NO_SPACE, out);
}

static void log_rcpt(struct session *session, const char *reason)
{
	char ip[IP_ADDR_TEXT_MAX];

	ip_addr_format(&session->peer, ip);
	log_event(&session->worker->log, LOG_SEV_NOTICE, NULL,
		"event=reject stage=rcpt reason=%s client=[%s] from=%s to=%s", reason, ip,
		LOG_VALUE(session->smtp.transaction.reverse_path.address),
		LOG_VALUE(session->smtp.rcpt->path.address));
}

static void on_rcpt(struct session *session, struct text *out)
{
	struct worker *worker = session->worker;
	enum recipients_answer found =
		recipients_check(worker->recipients, &session->smtp.rcpt->path);

	switch (found) {
	case RECIPIENTS_OK:
	case RECIPIENTS_POSTMASTER:
		smtp_session_answer(&session->smtp, smtp_reply_get(SMTP_REPLY_RECIPIENT_OK), NULL,
			found == RECIPIENTS_POSTMASTER, out);
		return;
	case RECIPIENTS_UNKNOWN:
		worker_count(worker, GATEWAY_RCPT_UNKNOWN);
		log_rcpt(session, "no-such-user");
		answer(session, SMTP_REPLY_NO_SUCH_USER, out);
		return;
	case RECIPIENTS_FOREIGN:
		worker_count(worker, GATEWAY_RCPT_FOREIGN);
		log_rcpt(session, "relay-denied");
		answer(session, SMTP_REPLY_RELAY_DENIED, out);
		return;
	}
}

void session_ask_window(struct session *session, bool wide)
{
	if (session->wide == wide)
		return;
	session->wide = wide;
	stream_set_receive_window(
		session->stream, wide ? SESSION_WINDOW_DATA : SESSION_WINDOW_COMMANDS);
}

static void on_data(struct session *session, struct text *out)
{
	if (!mail_reserve(session->mail)) {
		worker_count(session->worker, GATEWAY_DATA_REFUSED);
		answer(session, SMTP_REPLY_NO_SPACE, out);
		return;
	}
	session->content_us = session->worker->now_us;
	session_ask_window(session, true);
	answer(session, SMTP_REPLY_DATA_GO, out);
}

static void on_content(struct session *session)
{
	const struct smtp_reply *refusal = mail_content(session->mail, session->smtp.content);

	if (refusal)
		smtp_session_refuse(&session->smtp, refusal);
}

static void on_content_end(struct session *session, struct text *out)
{
	const struct smtp_reply *refusal = mail_content_end(session->mail);

	if (!refusal)
		return;
	session_drop_mail(session, "its content was refused");
	smtp_session_answer(&session->smtp, refusal, NULL, 0, out);
}

bool session_ask_event(struct session *session, enum smtp_event event, struct text *out)
{
	switch (event) {
	case SMTP_EVENT_MAIL: on_mail(session, out); return true;
	case SMTP_EVENT_RCPT: on_rcpt(session, out); return true;
	case SMTP_EVENT_DATA: on_data(session, out); return true;
	case SMTP_EVENT_CONTENT: on_content(session); return true;
	case SMTP_EVENT_CONTENT_END: on_content_end(session, out); return true;
	case SMTP_EVENT_RESET: session_drop_mail(session, "reset"); return true;
	case SMTP_EVENT_CLOSE: session->closed = true; return true;
	case SMTP_EVENT_HELO: on_helo(session); return true;
	case SMTP_EVENT_OUTPUT: return true;
	case SMTP_EVENT_INPUT:
	case SMTP_EVENT_WAIT:
	case SMTP_EVENT_NONE: break;
	}
	return false;
}
