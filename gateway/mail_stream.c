#include "gateway/mail_stream.h"

#include "gateway/mail.h"
#include "gateway/session.h"

void mail_stream_note(struct mail *mail)
{
	struct worker *worker = mail->worker;

	if (mail->stream_link || mail->state != MAIL_OPEN || mail->stream_error)
		return;
	mail->stream_next = worker->streaming;
	mail->stream_link = &worker->streaming;
	if (mail->stream_next)
		mail->stream_next->stream_link = &mail->stream_next;
	worker->streaming = mail;
}

void mail_stream_forget(struct mail *mail)
{
	if (!mail->stream_link)
		return;
	*mail->stream_link = mail->stream_next;
	if (mail->stream_next)
		mail->stream_next->stream_link = mail->stream_link;
	mail->stream_link = NULL;
}

static bool is_short(const struct worker *worker)
{
	return worker->memory_level >= CHUNK_POOL_SPILL;
}

bool mail_stream_is_full(const struct mail *mail)
{
	uint64_t window = is_short(mail->worker) ? MAIL_STREAM_WINDOW_SHORT : MAIL_STREAM_WINDOW;

	if (mail->worker->memory_level == CHUNK_POOL_ABORT)
		return true;
	return mail->octets_out > 0 &&
	       mail->octets - mail->octets_ahead + mail->octets_out > window;
}

/* All chunks but the one that is being written. */
static void post_chunks(struct mail *mail, uint64_t octets)
{
	struct spool_request request = {mail, mail->first, SPOOL_REQUEST_EXTENT};
	struct chunk *before = mail->first;

	while (before->next != mail->last)
		before = before->next;
	before->next = NULL;
	if (mail->octets_ahead == 0)
		worker_count(mail->worker,
			mail->octets >= MAIL_STREAM_OCTETS ? GATEWAY_STREAMED : GATEWAY_SPILLED);
	mail->first = mail->last;
	mail->n_chunks = 1;
	mail->octets_ahead += octets;
	mail->octets_out = octets;
	mail_post(mail, &request);
}

static void send_one(struct mail *mail, bool memory_is_short)
{
	uint64_t octets;

	if (!mail->last || mail->first == mail->last || mail->octets_out > 0)
		return;
	if (mail->worker->verifier->behind(mail) > 0)
		return; /* it is noted again when all of it is passed on */
	octets = mail->octets - mail->octets_ahead - chunk_used(mail->last);
	if (memory_is_short || (mail->octets >= MAIL_STREAM_OCTETS && octets >= MAIL_STREAM_BATCH))
		post_chunks(mail, octets);
}

/* Octets a second; the second more keeps those that have just begun out of it. */
static uint64_t pace_of(const struct session *session)
{
	return session->mail->octets * 1000000 /
	       (session->worker->now_us - session->content_us + 1000000);
}

static bool is_arriving(const struct session *session)
{
	return session->mail && session->mail->state == MAIL_OPEN &&
	       smtp_session_in_content(&session->smtp);
}

/*
 * Every mail that is arriving gives what it has to the spool. Where there was no memory at the last
 * look either, the slowest gives up.
 */
static void relieve(struct worker *worker)
{
	bool again = worker->was_out_of_memory;
	struct session *session, *slowest = NULL;

	worker->was_out_of_memory = worker->memory_level == CHUNK_POOL_ABORT;
	TAILQ_FOREACH(session, &worker->open, link)
	{
		if (!is_arriving(session))
			continue;
		mail_stream_note(session->mail);
		if (!slowest || pace_of(session) < pace_of(slowest))
			slowest = session;
	}
	if (again && worker->was_out_of_memory && slowest)
		session_give_up(slowest);
}

/* There is memory again: those that waited for it go on. */
static void resume_all(struct worker *worker)
{
	struct session *session, *next;

	/* One that goes on moves to the end of the list, and is looked at again there. */
	for (session = TAILQ_FIRST(&worker->open); session; session = next) {
		next = TAILQ_NEXT(session, link);
		if (is_arriving(session) && session->mail->held_us && !mail_is_full(session->mail))
			session_resume(session);
	}
}

static void look_at_memory(struct worker *worker)
{
	worker->memory_level = chunk_pool_level(&worker->chunks);
	if (!is_short(worker) || worker->now_us < worker->relieve_us)
		return;
	worker->relieve_us = worker->now_us + MAIL_STREAM_RELIEF_US;
	relieve(worker);
}

void mail_stream_send(struct worker *worker)
{
	bool was_out = worker->memory_level == CHUNK_POOL_ABORT;

	look_at_memory(worker);
	while (worker->streaming) {
		struct mail *mail = worker->streaming;

		mail_stream_forget(mail);
		if (mail->state == MAIL_OPEN)
			send_one(mail, is_short(worker));
	}
	/* Last, since content that they bring is not verified yet. */
	if (was_out && worker->memory_level < CHUNK_POOL_ABORT)
		resume_all(worker);
}

void mail_stream_taken(struct mail *mail, int error)
{
	mail->octets_out = 0;
	if (error && !mail->stream_error) {
		worker_count(mail->worker, GATEWAY_STREAM_FAILED);
		mail->stream_error = error;
	}
	if (mail->state != MAIL_OPEN)
		return;
	mail_stream_note(mail);
	if (mail->session)
		session_resume(mail->session);
}
