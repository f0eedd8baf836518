#include "gateway/session.h"

#include "gateway/mail.h"

/* Replies that TCP had no room for; a peer that stops reading is not read from until they are gone.
 */
_Static_assert(WORKER_SCRATCH <= UINT16_MAX, "rest_len holds a whole scratch");

static const struct smtp_reply *reply(enum smtp_reply_id id)
{
	return smtp_reply_get(id);
}

/* --- life and death -----------------------------------------------------------------------------
 */

static void drop_mail(struct session *session)
{
	if (session->mail)
		mail_drop(session->mail);
	session->mail = NULL;
}

static void session_free(struct session *session)
{
	struct worker *worker = session->worker;

	drop_mail(session);
	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
	wheel_disarm(&worker->wheel, &session->timer);
	smtp_session_fini(&session->smtp);
	if (session->rest)
		slab_put(&worker->rests, session->rest);
	slab_put(&worker->sessions, session);
}

/* Our side is done: what was sent still goes out (DESIGN §5, linger). */
static void session_close(struct session *session)
{
	stream_close(session->stream);
	session_free(session);
}

static bool bare_lf_is_kept(const struct worker *worker, const struct ip_addr *peer)
{
	const struct config *config = worker->config;

	if (config->policy.bare_lf == CONFIG_EOL_KEEP)
		return true;
	return config->policy.bare_lf_keep_networks &&
	       config_in_network(config, config->policy.bare_lf_keep_networks, peer);
}

/* --- output -------------------------------------------------------------------------------------
 */

/* Keep what TCP did not take. */
static bool keep_rest(struct session *session, struct bytes rest)
{
	if (!session->rest)
		session->rest = slab_get(&session->worker->rests);
	if (!session->rest || session->rest_len + rest.len > WORKER_SCRATCH)
		return false;
	memcpy(session->rest + session->rest_len, rest.data, rest.len);
	session->rest_len += (uint16_t)rest.len;
	return true;
}

/* false: the session is gone. */
static bool send_out(struct session *session, const struct text *out)
{
	struct bytes all = text_bytes(out);
	uint32_t sent = 0;

	if (all.len == 0)
		return true;
	if (session->rest_len == 0)
		sent = stream_send(session->stream, all);
	if (sent == all.len || keep_rest(session, bytes_from(all, sent)))
		return true;
	stream_abort(session->stream);
	session_free(session);
	return false;
}

/* Send replies kept earlier; true when none are left. */
static bool flush_rest(struct session *session)
{
	struct bytes rest = bytes_of(
		session->rest + session->rest_from, session->rest_len - session->rest_from);

	if (session->rest_len == 0)
		return true;
	session->rest_from += (uint16_t)stream_send(session->stream, rest);
	if (session->rest_from < session->rest_len)
		return false;
	slab_put(&session->worker->rests, session->rest);
	session->rest = NULL;
	session->rest_from = session->rest_len = 0;
	return true;
}

/* --- what SMTP asks -----------------------------------------------------------------------------
 */

static void answer(struct session *session, enum smtp_reply_id id, struct text *out)
{
	smtp_session_answer(&session->smtp, reply(id), NULL, 0, out);
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
		smtp_session_answer(&session->smtp, reply(SMTP_REPLY_RECIPIENT_OK), NULL,
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

static void on_data(struct session *session, struct text *out)
{
	if (!mail_reserve(session->mail)) {
		worker_count(session->worker, GATEWAY_DATA_REFUSED);
		answer(session, SMTP_REPLY_NO_SPACE, out);
		return;
	}
	stream_set_receive_window(session->stream, SESSION_WINDOW_DATA);
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

	stream_set_receive_window(session->stream, SESSION_WINDOW_COMMANDS);
	if (refusal) {
		drop_mail(session);
		smtp_session_answer(&session->smtp, refusal, NULL, 0, out);
		return;
	}
	session_wait(session, session->worker->config->auth.patience_ms);
}

/* One event of the SMTP session. false: nothing more to do now (or the session is gone). */
static bool on_event(struct session *session, enum smtp_event event, struct text *out)
{
	switch (event) {
	case SMTP_EVENT_MAIL: on_mail(session, out); return true;
	case SMTP_EVENT_RCPT: on_rcpt(session, out); return true;
	case SMTP_EVENT_DATA: on_data(session, out); return true;
	case SMTP_EVENT_CONTENT: on_content(session); return true;
	case SMTP_EVENT_CONTENT_END: on_content_end(session, out); return true;
	case SMTP_EVENT_RESET: drop_mail(session); return true;
	case SMTP_EVENT_CLOSE: session->closed = true; return false;
	case SMTP_EVENT_OUTPUT: return true;
	case SMTP_EVENT_INPUT:
	case SMTP_EVENT_WAIT:
	case SMTP_EVENT_HELO:
	case SMTP_EVENT_NONE: break;
	}
	return event == SMTP_EVENT_HELO;
}

/* One step over what has been received. false: stop for now; `session` may be gone. */
static bool run_step(struct session *session)
{
	struct bytes input = stream_peek(session->stream);
	size_t had = input.len;
	enum smtp_event event;
	struct text out;
	bool more;

	text_init(&out, session->worker->scratch, WORKER_SCRATCH);
	event = smtp_session_step(&session->smtp, &input, &out);
	more = on_event(session, event, &out);
	if (had > input.len)
		stream_consume(session->stream, (uint32_t)(had - input.len));
	if (!send_out(session, &out))
		return false;
	if (session->closed) {
		session_close(session);
		return false;
	}
	if (event == SMTP_EVENT_INPUT)
		more = stream_peek(session->stream).len > 0;
	if (!more && event == SMTP_EVENT_INPUT && session->peer_shut)
		session_close(session);
	return more;
}

static void session_run(struct session *session)
{
	session->active_us = session->worker->now_us;
	while (flush_rest(session) && run_step(session))
		;
}

/* --- what happens to it -------------------------------------------------------------------------
 */

static void refuse_connection(struct worker *worker, struct stream stream, enum smtp_reply_id id)
{
	struct text out;

	text_init(&out, worker->scratch, WORKER_SCRATCH);
	smtp_reply_put(&out, reply(id), bytes_str(reply(id)->text));
	stream_send(stream, text_bytes(&out));
	stream_close(stream);
}

struct session *session_open(struct worker *worker, struct stream stream)
{
	struct session *session;
	struct text out;

	if (worker->draining) {
		refuse_connection(worker, stream, SMTP_REPLY_SHUTDOWN);
		return NULL;
	}
	session = slab_get(&worker->sessions);
	if (!session) {
		worker_count(worker, GATEWAY_SESSIONS_FULL);
		refuse_connection(worker, stream, SMTP_REPLY_TOO_MANY_CONNECTIONS);
		return NULL;
	}
	worker_count(worker, GATEWAY_CONNECTIONS);
	memset(session, 0, sizeof(*session));
	session->next = worker->open;
	session->link = &worker->open;
	if (session->next)
		session->next->link = &session->next;
	worker->open = session;
	session->worker = worker;
	session->stream = stream;
	session->active_us = worker->now_us;
	stream.ops->peer(stream.conn, &session->peer);
	stream.ops->set_user(stream.conn, session);
	smtp_session_init(&session->smtp, &worker->smtp, &worker->lines, &worker->blocks);
	if (bare_lf_is_kept(worker, &session->peer))
		session->smtp.bare_policy = SMTP_EOL_KEEP;
	if (worker->config->policy.nul == CONFIG_EOL_KEEP)
		session->smtp.nul_policy = SMTP_EOL_KEEP;
	session_wait(session, worker->config->limits.idle_timeout_s * 1000);
	text_init(&out, worker->scratch, WORKER_SCRATCH);
	smtp_session_greet(&session->smtp, &out);
	return send_out(session, &out) ? session : NULL;
}

static void session_lost(struct session *session)
{
	struct worker *worker = session->worker;
	char ip[IP_ADDR_TEXT_MAX];

	worker_count(worker, GATEWAY_LOST);
	ip_addr_format(&session->peer, ip);
	log_event(&worker->log, LOG_SEV_INFO, session->mail ? session->mail->id : NULL,
		"event=lost client=[%s] during=%s", ip, session->mail ? "transaction" : "commands");
	session->stream.ops->release(session->stream.conn);
	session_free(session);
}

void session_ready(struct session *session, unsigned ready)
{
	if (ready & (TCP_READY_FAILED | TCP_READY_CLOSED)) {
		session_lost(session);
		return;
	}
	if (ready & TCP_READY_PEER_SHUT)
		session->peer_shut = true;
	session_run(session);
}

void session_answer(struct session *session, const struct smtp_reply *with, const char *text)
{
	struct text out;

	session->mail = NULL;
	session_wait(session, session->worker->config->limits.idle_timeout_s * 1000);
	text_init(&out, session->worker->scratch, WORKER_SCRATCH);
	smtp_session_answer(&session->smtp, with, text, 0, &out);
	if (send_out(session, &out))
		session_run(session);
}

/* --- time ---------------------------------------------------------------------------------------
 */

void session_wait(struct session *session, uint32_t ms)
{
	struct worker *worker = session->worker;

	wheel_arm(&worker->wheel, &session->timer, worker->now_us + (uint64_t)ms * 1000);
}

static uint32_t patience_ms(const struct session *session)
{
	const struct config *config = session->worker->config;

	return 1000 * (smtp_session_in_content(&session->smtp) ? config->limits.data_timeout_s
							       : config->limits.idle_timeout_s);
}

static void close_for_silence(struct session *session)
{
	struct worker *worker = session->worker;
	struct text out;

	text_init(&out, worker->scratch, WORKER_SCRATCH);
	if (smtp_session_in_content(&session->smtp) && smtp_data_odd_end(&session->smtp.data)) {
		worker_count(worker, GATEWAY_ODD_END);
		smtp_reply_put(&out, reply(SMTP_REPLY_BAD_EOL),
			BYTES("Only <CR><LF>.<CR><LF> ends the data"));
	}
	worker_count(worker, GATEWAY_TIMEOUTS);
	smtp_session_bye(&session->smtp, reply(SMTP_REPLY_IDLE), &out);
	if (send_out(session, &out))
		session_close(session);
}

void session_timeout(struct session *session)
{
	uint64_t silent_us = session->worker->now_us - session->active_us;
	uint64_t patience_us = (uint64_t)patience_ms(session) * 1000;

	if (session->mail && session->mail->state == MAIL_EVALUATING) {
		mail_give_up(session->mail);
	} else if (session->mail && session->mail->state == MAIL_COMMITTING) {
		session_wait(session, patience_ms(session));
	} else if (silent_us < patience_us) {
		session_wait(session, (uint32_t)((patience_us - silent_us) / 1000) + 1);
	} else {
		close_for_silence(session);
	}
}

bool session_drain(struct session *session)
{
	struct text out;

	if (session->mail && (session->mail->state != MAIL_OPEN || session->mail->first))
		return false;
	if (smtp_session_in_content(&session->smtp))
		return false;
	text_init(&out, session->worker->scratch, WORKER_SCRATCH);
	smtp_session_bye(&session->smtp, reply(SMTP_REPLY_SHUTDOWN), &out);
	if (send_out(session, &out))
		session_close(session);
	return true;
}
