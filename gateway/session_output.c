/* What goes out, and what waits because TCP has no room for it. */
#include "gateway/session_priv.h"

/* A peer that stops reading is not read from until its replies are gone. */
_Static_assert(WORKER_SCRATCH <= UINT16_MAX, "rest_len holds a whole scratch");

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

bool session_output_send(struct session *session, const struct text *out)
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

bool session_output_flush(struct session *session)
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

bool session_output_last(struct session *session, enum smtp_reply_id id, const char *reason)
{
	struct text out;

	text_init(&out, session->worker->scratch, WORKER_SCRATCH);
	smtp_session_bye(&session->smtp, smtp_reply_get(id), &out);
	if (!session_output_send(session, &out))
		return true;
	if (session->rest_len == 0) {
		session_close(session, reason);
		return true;
	}
	session->closed = true;
	session_time_arm(session);
	return false;
}
