/* How long each thing is waited for, and what becomes of who is too slow or gone. */
#include "gateway/mail.h"
#include "gateway/session_priv.h"

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* While content arrives: silence, shorter behind an odd end mark, and the pace that is asked for.
 */
static uint64_t content_deadline_us(const struct session *session)
{
	const struct config *config = session->worker->config;
	uint64_t silence_us = UINT64_C(1000000) * config->limits.data_timeout_s;
	uint64_t octets = session->smtp.data.octets, rate = config->limits.data_rate;
	uint64_t pace_us =
		rate ? session->content_us + silence_us + octets * 1000000 / rate : UINT64_MAX;

	if (smtp_data_odd_end(&session->smtp.data))
		silence_us = UINT64_C(1000000) * config->limits.odd_end_timeout_s;
	return earlier(session->active_us + silence_us, pace_us);
}

/* When patience with what is awaited now ends; UINT64_MAX: it comes from ourselves. */
static uint64_t deadline_us(const struct session *session)
{
	const struct config *config = session->worker->config;

	if (session->mail && session->mail->state == MAIL_EVALUATING)
		return session->mail->gave_up ? UINT64_MAX
					      : session->mail->ended_us +
							UINT64_C(1000) * config->auth.patience_ms;
	if (session->mail && (session->mail->state == MAIL_COMMITTING || session->mail->held_us))
		return UINT64_MAX;
	if (session->rest_len == 0 && smtp_session_in_content(&session->smtp))
		return content_deadline_us(session);
	return session->active_us + UINT64_C(1000000) * config->limits.idle_timeout_s;
}

void session_time_arm(struct session *session)
{
	uint64_t deadline = deadline_us(session);

	if (deadline != UINT64_MAX &&
		(!wheel_armed(&session->timer) || session->timer.deadline_us > deadline))
		wheel_arm(&session->worker->wheel, &session->timer, deadline);
}

void session_time_log(struct session *session, const char *event, const char *reason)
{
	char ip[IP_ADDR_TEXT_MAX];

	ip_addr_format(&session->peer, ip);
	log_event(&session->worker->log, LOG_SEV_INFO, session->mail ? session->mail->id : NULL,
		"event=%s reason=%s client=[%s] during=%s", event, reason, ip,
		smtp_session_in_content(&session->smtp) ? "content"
		: session->mail                         ? "transaction"
							: "commands");
}

void session_time_lost(struct session *session)
{
	worker_count(session->worker, GATEWAY_LOST);
	session_time_log(session, "lost", session->peer_shut ? "peer-closed" : "reset");
}

static const char *why_silent(struct session *session)
{
	const struct smtp_session *smtp = &session->smtp;
	uint64_t silence_us = UINT64_C(1000000) * session->worker->config->limits.data_timeout_s;

	if (session->rest_len > 0)
		return "not-reading";
	if (!smtp_session_in_content(smtp))
		return "idle";
	if (smtp_data_odd_end(&smtp->data))
		return "odd-end";
	return session->worker->now_us < session->active_us + silence_us ? "slow" : "silent";
}

static void close_for_silence(struct session *session)
{
	struct worker *worker = session->worker;
	const char *why = why_silent(session);
	struct text out;

	worker_count(worker, GATEWAY_TIMEOUTS);
	session_time_log(session, "timeout", why);
	if (session->rest_len > 0) {
		worker_count(worker, GATEWAY_NOT_READING);
		session_abort(session, why);
		return;
	}
	text_init(&out, worker->scratch, WORKER_SCRATCH);
	if (strcmp(why, "odd-end") == 0) {
		worker_count(worker, GATEWAY_ODD_END);
		smtp_reply_put(&out, smtp_reply_get(SMTP_REPLY_BAD_EOL),
			BYTES("Only <CR><LF>.<CR><LF> ends the data"));
	}
	if (strcmp(why, "slow") == 0)
		worker_count(worker, GATEWAY_SLOW);
	if (session_output_send(session, &out))
		session_output_last(session, SMTP_REPLY_IDLE, why);
}

void session_timeout(struct session *session)
{
	if (session->worker->now_us < deadline_us(session))
		session_time_arm(session);
	else if (session->mail && session->mail->state == MAIL_EVALUATING)
		mail_give_up(session->mail);
	else
		close_for_silence(session);
}
