#include "gateway/mail_seal.h"

static enum arc_seal_refusal prepare(struct mail *mail)
{
	struct worker *worker = mail->worker;
	struct arc_seal *seal = ARENA_NEW(&mail->arena, struct arc_seal);

	if (!seal)
		return ARC_SEAL_NO_MEMORY;
	enum arc_seal_refusal refusal =
		auth_mail_seal(mail->auth, worker->seal_key, &mail->arena, seal);
	if (refusal != ARC_SEAL_OK)
		return refusal;
	mail->seal_room =
		arena_alloc(&mail->arena, arc_seal_room(seal) + mail->envelope.prepend.len, 1);
	if (!mail->seal_room)
		return ARC_SEAL_NO_MEMORY;
	mail->seal = seal;
	return ARC_SEAL_OK;
}

void mail_seal_prepare(struct mail *mail)
{
	if (!mail->worker->seal_key)
		return;
	mail->seal_refusal = prepare(mail);
	if (!mail->seal)
		worker_count(mail->worker, GATEWAY_UNSEALED);
}

void mail_seal_pass_on(struct mail *mail)
{
	/* The ring holds as many as there are mails, so there is room. */
	handoff_post(mail->worker->to_sealer, &mail);
}

void mail_seal_tell(const struct mail *mail, struct trace_writer *out)
{
	if (!mail->worker->seal_key)
		return;
	if (mail->seal) {
		trace_event(out, TRACE_SEALED, TRACE_NO_TIME);
		trace_number(out, mail->seal->instance);
		trace_word(out, arc_cv_word(mail->seal->cv));
	} else {
		trace_event(out, TRACE_UNSEALED, TRACE_NO_TIME);
		trace_word(out, arc_seal_refusal_text(mail->seal_refusal));
	}
	trace_end_event(out);
}
