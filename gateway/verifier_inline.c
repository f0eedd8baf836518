/* Verification on the io lcore itself. */
#include "gateway/mail.h"

/* Work in one poll round. */
#define BUDGET_US 2000

/* --- a mail -------------------------------------------------------------------------------------
 */

static bool begin(struct mail *mail, const struct auth_envelope *envelope)
{
	struct worker *worker = mail->worker;

	mail->auth = auth_mail_begin(worker->auth, envelope, worker->now_us);
	if (!mail->auth)
		return false;
	auth_mail_set_user(mail->auth, mail);
	return true;
}

static enum auth_feed feed(struct mail *mail, struct chunk_range range)
{
	return auth_mail_content(mail->auth, chunk_range_bytes(range), mail->worker->now_us);
}

static enum auth_feed end(struct mail *mail)
{
	return auth_mail_content_end(mail->auth, mail->worker->now_us);
}

static void give_up(struct mail *mail)
{
	auth_mail_give_up(mail->auth, mail->worker->now_us);
}

static void forget(struct mail *mail)
{
	if (mail->auth)
		auth_mail_end(mail->auth);
	mail->auth = NULL;
}

static uint64_t behind(const struct mail *mail)
{
	(void)mail;
	return 0;
}

/* --- a poll round -------------------------------------------------------------------------------
 */

static unsigned take(struct worker *worker)
{
	return asker_take(&worker->asker, worker->auth, worker->now_us);
}

static unsigned run(struct worker *worker, bool idle)
{
	return auth_engine_run(worker->auth, worker->now_us, idle, BUDGET_US);
}

static unsigned verdicts(struct worker *worker)
{
	struct auth_mail *mail;
	unsigned n = 0;

	for (; (mail = auth_engine_next_ready(worker->auth)) != NULL; n++) {
		worker_read_clock(worker);
		mail_verdict(auth_mail_user(mail));
	}
	return n;
}

static void send(struct worker *worker)
{
	counter_add(
		&worker->counters.v[GATEWAY_QUESTIONS], asker_send(&worker->asker, worker->auth));
}

static uint64_t deadline_us(const struct worker *worker)
{
	return auth_engine_deadline_us(worker->auth);
}

static bool has_answers(const struct worker *worker)
{
	return asker_has_answers(&worker->asker);
}

static bool awaits(const struct worker *worker)
{
	return worker->asker.open > 0;
}

const struct verifier verifier_inline = {
	.begin = begin,
	.feed = feed,
	.end = end,
	.give_up = give_up,
	.forget = forget,
	.behind = behind,
	.take = take,
	.run = run,
	.verdicts = verdicts,
	.send = send,
	.deadline_us = deadline_us,
	.has_answers = has_answers,
	.awaits = awaits,
};
