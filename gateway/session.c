#include "gateway/session.h"

#include "gateway/mail.h"
#include "gateway/mail_stream.h"
#include "gateway/mail_trace.h"
#include "gateway/shed.h"

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

static void log_connection(struct session *session, const char *event, const char *reason)
{
	struct log_ring *log = &session->worker->log;
	char ip[IP_ADDR_TEXT_MAX];

	if (!log_wants(log, LOG_SEV_DEBUG))
		return;
	ip_addr_format(&session->peer, ip);
	log_event(log, LOG_SEV_DEBUG, NULL, "event=%s reason=%s client=[%s] mails=%u errors=%u",
		event, reason, ip, session->smtp.transactions, session->smtp.errors);
}

/* `reason` is a token for the log. */
static void session_free(struct session *session, const char *reason)
{
	struct worker *worker = session->worker;

	log_connection(session, "disconnect", reason);
	drop_mail(session);
	TAILQ_REMOVE(&worker->open, session, link);
	wheel_disarm(&worker->wheel, &session->timer);
	smtp_session_fini(&session->smtp);
	clients_leave(&worker->clients, session->client);
	if (session->rest)
		slab_put(&worker->rests, session->rest);
	slab_put(&worker->sessions, session);
}

/* Our side is done: what was sent still goes out (DESIGN §5, linger). */
static void session_close(struct session *session, const char *reason)
{
	stream_close(session->stream);
	session_free(session, reason);
}

static void session_abort(struct session *session, const char *reason)
{
	stream_abort(session->stream);
	session_free(session, reason);
}

void session_cut(struct session *session)
{
	session_abort(session, "denied");
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
	session_abort(session, "no-memory");
	return false;
}

/* Send replies kept earlier; true when none are left. */
static bool flush_rest(struct session *session)
{
	struct bytes rest;

	if (session->rest_len == 0)
		return true;
	rest = bytes_of(session->rest + session->rest_from, session->rest_len - session->rest_from);
	session->rest_from += (uint16_t)stream_send(session->stream, rest);
	if (session->rest_from < session->rest_len)
		return false;
	slab_put(&session->worker->rests, session->rest);
	session->rest = NULL;
	session->rest_from = session->rest_len = 0;
	return true;
}

static void session_arm(struct session *session);

/* Say a last word and close, at once if it has gone out: then the session is gone, and true. */
static bool say_last(struct session *session, enum smtp_reply_id id, const char *reason)
{
	struct text out;

	text_init(&out, session->worker->scratch, WORKER_SCRATCH);
	smtp_session_bye(&session->smtp, reply(id), &out);
	if (!send_out(session, &out))
		return true;
	if (session->rest_len == 0) {
		session_close(session, reason);
		return true;
	}
	session->closed = true;
	session_arm(session);
	return false;
}

/* --- silence ------------------------------------------------------------------------------------
 */

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

/* Let the timer run out no later than that; one that runs out too early is armed again then. */
static void session_arm(struct session *session)
{
	uint64_t deadline = deadline_us(session);

	if (deadline != UINT64_MAX &&
		(!wheel_armed(&session->timer) || session->timer.deadline_us > deadline))
		wheel_arm(&session->worker->wheel, &session->timer, deadline);
}

static void log_ended(struct session *session, const char *event, const char *reason)
{
	char ip[IP_ADDR_TEXT_MAX];

	ip_addr_format(&session->peer, ip);
	log_event(&session->worker->log, LOG_SEV_INFO, session->mail ? session->mail->id : NULL,
		"event=%s reason=%s client=[%s] during=%s", event, reason, ip,
		smtp_session_in_content(&session->smtp) ? "content"
		: session->mail                         ? "transaction"
							: "commands");
}

static void session_count_lost(struct session *session)
{
	worker_count(session->worker, GATEWAY_LOST);
	log_ended(session, "lost", session->peer_shut ? "peer-closed" : "reset");
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
	log_ended(session, "timeout", why);
	if (session->rest_len > 0) {
		worker_count(worker, GATEWAY_NOT_READING);
		session_abort(session, why);
		return;
	}
	text_init(&out, worker->scratch, WORKER_SCRATCH);
	if (strcmp(why, "odd-end") == 0) {
		worker_count(worker, GATEWAY_ODD_END);
		smtp_reply_put(&out, reply(SMTP_REPLY_BAD_EOL),
			BYTES("Only <CR><LF>.<CR><LF> ends the data"));
	}
	if (strcmp(why, "slow") == 0)
		worker_count(worker, GATEWAY_SLOW);
	if (send_out(session, &out))
		say_last(session, SMTP_REPLY_IDLE, why);
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

static void set_window(struct session *session, bool wide)
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
	set_window(session, true);
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
	drop_mail(session);
	smtp_session_answer(&session->smtp, refusal, NULL, 0, out);
}

/* One event of the SMTP session. false: nothing more to do now. */
static bool on_event(struct session *session, enum smtp_event event, struct text *out)
{
	switch (event) {
	case SMTP_EVENT_MAIL: on_mail(session, out); return true;
	case SMTP_EVENT_RCPT: on_rcpt(session, out); return true;
	case SMTP_EVENT_DATA: on_data(session, out); return true;
	case SMTP_EVENT_CONTENT: on_content(session); return true;
	case SMTP_EVENT_CONTENT_END: on_content_end(session, out); return true;
	case SMTP_EVENT_RESET: drop_mail(session); return true;
	case SMTP_EVENT_CLOSE: session->closed = true; return true;
	case SMTP_EVENT_HELO:
	case SMTP_EVENT_OUTPUT: return true;
	case SMTP_EVENT_INPUT:
	case SMTP_EVENT_WAIT:
	case SMTP_EVENT_NONE: break;
	}
	return false;
}

static void touch(struct session *session)
{
	struct session_list *open = &session->worker->open;

	session->active_us = session->worker->now_us;
	TAILQ_REMOVE(open, session, link);
	TAILQ_INSERT_TAIL(open, session, link);
}

/* Octets were taken. A command line counts once it is whole, so that none may dribble in for ever.
 */
static void note_progress(struct session *session)
{
	const struct smtp_session *smtp = &session->smtp;

	if (smtp_session_in_content(smtp) || !smtp_session_in_line(smtp))
		touch(session);
}

enum run { RUN_ON, RUN_ENOUGH, RUN_GONE };

/* The peer has shut its side, and all it said has been answered. */
static enum run run_out(struct session *session)
{
	if (!session->peer_shut)
		return RUN_ENOUGH;
	if (session->mail)
		session_count_lost(session);
	session->closed = true;
	return RUN_ON;
}

/* One step over what has been received. */
static enum run run_step(struct session *session)
{
	struct bytes input = stream_peek(session->stream);
	size_t had = input.len;
	enum smtp_event event;
	struct text out;
	bool more;

	text_init(&out, session->worker->scratch, WORKER_SCRATCH);
	event = smtp_session_step(&session->smtp, &input, &out);
	more = on_event(session, event, &out);
	if (had > input.len) {
		stream_consume(session->stream, (uint32_t)(had - input.len));
		note_progress(session);
	}
	set_window(session, smtp_session_in_content(&session->smtp));
	if (!send_out(session, &out))
		return RUN_GONE;
	if (event == SMTP_EVENT_INPUT && stream_peek(session->stream).len == 0)
		return run_out(session);
	return more || event == SMTP_EVENT_INPUT ? RUN_ON : RUN_ENOUGH;
}

/* The spool has yet to take what came of a large mail: the peer's window closes meanwhile. */
static bool hold_back(struct session *session)
{
	struct mail *mail = session->mail;

	if (!mail || mail->state != MAIL_OPEN || !mail_stream_is_full(mail))
		return false;
	if (mail->held_us == 0) {
		mail->held_us = session->worker->now_us;
		worker_count(session->worker, GATEWAY_HELD_BACK);
	}
	return true;
}

/*
 * Take what there is to take. A peer that does not read its replies is not read from either, and a
 * last reply is out before the end.
 */
static void session_run(struct session *session)
{
	enum run run = RUN_ON;

	while (run == RUN_ON && flush_rest(session) && !hold_back(session)) {
		if (session->closed) {
			session_close(session, session->peer_shut ? "peer-closed" : "quit");
			return;
		}
		run = run_step(session);
	}
	if (run != RUN_GONE)
		session_arm(session);
}

/* --- what happens to it -------------------------------------------------------------------------
 */

static void refuse_connection(struct worker *worker, struct stream stream,
	const struct ip_addr *peer, enum smtp_reply_id id, const char *reason)
{
	char ip[IP_ADDR_TEXT_MAX];
	struct text out;

	ip_addr_format(peer, ip);
	log_event(&worker->log, LOG_SEV_INFO, NULL,
		"event=reject stage=connect reason=%s client=[%s]", reason, ip);
	text_init(&out, worker->scratch, WORKER_SCRATCH);
	smtp_reply_put(&out, reply(id), bytes_str(reply(id)->text));
	stream_send(stream, text_bytes(&out));
	stream_close(stream);
}

/* How many connections one client may have now: fewer where they are becoming scarce. */
static uint32_t client_limit(const struct worker *worker)
{
	uint32_t limit = worker->config->limits.client_connections;
	uint32_t crowded = worker->config->limits.client_connections_crowded;

	if (worker->sessions.in_use < worker->sessions.max_objects / 2 || crowded == 0)
		return limit;
	return limit > 0 && limit < crowded ? limit : crowded;
}

static void listen_to(struct session *session, struct worker *worker, struct stream stream)
{
	TAILQ_INSERT_TAIL(&worker->open, session, link);
	session->worker = worker;
	session->stream = stream;
	session->active_us = worker->now_us;
	stream.ops->set_user(stream.conn, session);
	smtp_session_init(&session->smtp, &worker->smtp, &worker->lines, &worker->blocks);
	if (bare_lf_is_kept(worker, &session->peer))
		session->smtp.bare_policy = SMTP_EOL_KEEP;
	if (worker->config->policy.nul == CONFIG_EOL_KEEP)
		session->smtp.nul_policy = SMTP_EOL_KEEP;
}

struct session *session_open(struct worker *worker, struct stream stream)
{
	struct session *session = NULL;
	struct client *client = NULL;
	struct ip_addr peer;
	struct text out;

	stream.ops->peer(stream.conn, &peer);
	if (worker->draining) {
		refuse_connection(worker, stream, &peer, SMTP_REPLY_SHUTDOWN, "shutdown");
		return NULL;
	}
	if (worker->sessions.in_use == worker->sessions.max_objects && !shed_longest_idle(worker)) {
		worker_count(worker, GATEWAY_SESSIONS_FULL);
		refuse_connection(
			worker, stream, &peer, SMTP_REPLY_TOO_MANY_CONNECTIONS, "connections");
		return NULL;
	}
	client = clients_enter(&worker->clients, &peer, client_limit(worker));
	session = client ? slab_get(&worker->sessions) : NULL;
	if (!session) {
		clients_leave(&worker->clients, client);
		worker_count(worker, GATEWAY_CLIENT_FULL);
		refuse_connection(worker, stream, &peer, SMTP_REPLY_TOO_MANY_CONNECTIONS,
			"client-connections");
		return NULL;
	}
	worker_count(worker, GATEWAY_CONNECTIONS);
	memset(session, 0, sizeof(*session));
	session->client = client;
	session->peer = peer;
	listen_to(session, worker, stream);
	log_connection(session, "connect", "none");
	session_arm(session);
	text_init(&out, worker->scratch, WORKER_SCRATCH);
	smtp_session_greet(&session->smtp, &out);
	return send_out(session, &out) ? session : NULL;
}

static void session_lost(struct session *session)
{
	session_count_lost(session);
	session->stream.ops->release(session->stream.conn);
	session_free(session, "lost");
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
	touch(session);
	text_init(&out, session->worker->scratch, WORKER_SCRATCH);
	smtp_session_answer(&session->smtp, with, text, 0, &out);
	if (send_out(session, &out))
		session_run(session);
}

void session_resume(struct session *session)
{
	struct mail *mail = session->mail;

	if (mail->held_us == 0)
		return;
	/* The wait was ours, not the peer's. */
	touch(session);
	session->content_us += session->worker->now_us - mail->held_us;
	mail->held_us = 0;
	session_run(session);
}

void session_give_up(struct session *session)
{
	worker_count(session->worker, GATEWAY_MAILS_SHED);
	log_ended(session, "shed", "memory");
	mail_trace_keep(session->mail, "given up: too slow while memory is short");
	drop_mail(session);
	say_last(session, SMTP_REPLY_NO_MEMORY, "memory");
}

/* --- time ---------------------------------------------------------------------------------------
 */

void session_timeout(struct session *session)
{
	if (session->worker->now_us < deadline_us(session))
		session_arm(session);
	else if (session->mail && session->mail->state == MAIL_EVALUATING)
		mail_give_up(session->mail);
	else
		close_for_silence(session);
}

bool session_drain(struct session *session)
{
	if (session->closed || smtp_session_in_content(&session->smtp))
		return false;
	if (session->mail && session->mail->state != MAIL_OPEN)
		return false;
	return say_last(session, SMTP_REPLY_SHUTDOWN, "shutdown");
}

bool session_is_idle(const struct session *session)
{
	return !session->closed && !session->mail && session->rest_len == 0 &&
	       !smtp_session_in_content(&session->smtp);
}

void session_shed(struct session *session)
{
	worker_count(session->worker, GATEWAY_SHED);
	log_ended(session, "shed", "idle");
	say_last(session, SMTP_REPLY_SHED, "shed");
}
