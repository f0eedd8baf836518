#include "gateway/session_priv.h"

#include "gateway/mail.h"
#include "gateway/mail_stream.h"
#include "gateway/mail_trace.h"
#include "gateway/shed.h"

/* --- life and death -----------------------------------------------------------------------------
 */

void session_drop_mail(struct session *session, const char *reason)
{
	if (session->mail)
		mail_drop(session->mail, reason);
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
	session_drop_mail(session, reason);
	TAILQ_REMOVE(&worker->open, session, link);
	wheel_disarm(&worker->wheel, &session->timer);
	smtp_session_fini(&session->smtp);
	clients_leave(&worker->clients, session->client);
	if (session->rest)
		slab_put(&worker->rests, session->rest);
	slab_put(&worker->sessions, session);
}

void session_close(struct session *session, const char *reason)
{
	stream_close(session->stream);
	session_free(session, reason);
}

void session_abort(struct session *session, const char *reason)
{
	stream_abort(session->stream);
	session_free(session, reason);
}

void session_cut(struct session *session)
{
	session_abort(session, "denied");
}

/* --- what it receives --------------------------------------------------------------------------
 */

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
		session_time_lost(session);
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
	more = session_ask_event(session, event, &out);
	if (had > input.len) {
		stream_consume(session->stream, (uint32_t)(had - input.len));
		note_progress(session);
	}
	session_ask_window(session, smtp_session_in_content(&session->smtp));
	if (!session_output_send(session, &out))
		return RUN_GONE;
	if (event == SMTP_EVENT_INPUT && stream_peek(session->stream).len == 0)
		return run_out(session);
	return more || event == SMTP_EVENT_INPUT ? RUN_ON : RUN_ENOUGH;
}

/* The spool has yet to take what came of a large mail: the peer's window closes meanwhile. */
static bool hold_back(struct session *session)
{
	struct mail *mail = session->mail;

	if (!mail || mail->state != MAIL_OPEN || !mail_is_full(mail))
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

	while (run == RUN_ON && session_output_flush(session) && !hold_back(session)) {
		if (session->closed) {
			session_close(session, session->peer_shut ? "peer-closed" : "quit");
			return;
		}
		run = run_step(session);
	}
	if (run != RUN_GONE)
		session_time_arm(session);
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
	smtp_reply_put(&out, smtp_reply_get(id), bytes_str(smtp_reply_get(id)->text));
	if (stream_send(stream, text_bytes(&out)) == out.len)
		stream_close(stream);
	else /* no room to say it: rather a reset than an end without a word */
		stream_abort(stream);
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

static bool bare_lf_is_kept(const struct worker *worker, const struct ip_addr *peer)
{
	const struct config *config = worker->config;

	if (config->policy.bare_lf == CONFIG_EOL_KEEP)
		return true;
	return config->policy.bare_lf_keep_networks &&
	       config_in_network(config, config->policy.bare_lf_keep_networks, peer);
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
	session_time_arm(session);
	text_init(&out, worker->scratch, WORKER_SCRATCH);
	smtp_session_greet(&session->smtp, &out);
	return session_output_send(session, &out) ? session : NULL;
}

static void session_lost(struct session *session)
{
	session_time_lost(session);
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
	if (session_output_send(session, &out))
		session_run(session);
}

bool session_waits_for_content(const struct session *session)
{
	return smtp_session_in_content(&session->smtp) && !session->smtp.next && !session->closed &&
	       session->mail->held_us == 0;
}

void session_refuse(struct session *session, const struct smtp_reply *reply)
{
	smtp_session_refuse(&session->smtp, reply);
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
	session_time_log(session, "shed", "memory");
	session_drop_mail(session, "too slow while memory is short");
	session_output_last(session, SMTP_REPLY_NO_MEMORY, "memory");
}

bool session_drain(struct session *session)
{
	if (session->closed || smtp_session_in_content(&session->smtp))
		return false;
	if (session->mail && session->mail->state != MAIL_OPEN)
		return false;
	return session_output_last(session, SMTP_REPLY_SHUTDOWN, "shutdown");
}

bool session_is_idle(const struct session *session)
{
	return !session->closed && !session->mail && session->rest_len == 0 &&
	       !smtp_session_in_content(&session->smtp);
}

void session_shed(struct session *session)
{
	worker_count(session->worker, GATEWAY_SHED);
	session_time_log(session, "shed", "idle");
	session_output_last(session, SMTP_REPLY_SHED, "shed");
}
