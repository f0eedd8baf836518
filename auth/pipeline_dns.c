#include "auth/pipeline_priv.h"

/* An earlier question of this mail that is the same; NULL if none. */
static const struct dns_ask *find_earlier(const struct auth_mail *mail, unsigned index)
{
	const struct dns_question *question = &mail->asks.ask[index]->question;

	for (unsigned i = 0; i < index; i++) {
		if (dns_question_same(&mail->asks.ask[i]->question, question))
			return mail->asks.ask[i];
	}
	return NULL;
}

static const struct dns_answer *from_cache(
	const struct auth_mail *mail, unsigned index, uint64_t now_us)
{
	struct auth_engine *engine = mail->engine;

	if (!engine->cache)
		return NULL;
	return dns_cache_get(
		engine->cache, engine->reader, &mail->asks.ask[index]->question, now_us);
}

static void line_up(struct auth_mail *mail, unsigned index)
{
	mail->out[mail->n_out++] = (uint8_t)index;
	auth_link_append(&mail->engine->asking, &mail->in_asking);
}

void pipeline_dns_pump(struct auth_mail *mail, uint64_t now_us)
{
	struct auth_counters *counters = &mail->engine->counters;

	/* An answer may bring new questions, which the next turn takes. */
	for (int i; (i = dns_asks_take(&mail->asks, now_us)) >= 0;) {
		unsigned index = (unsigned)i;
		const struct dns_ask *earlier = find_earlier(mail, index);
		const struct dns_answer *answer;

		counter_inc(&counters->v[AUTH_ASKS]);
		if (earlier) {
			/* One that is still out brings the answer for both. */
			counter_inc(&counters->v[AUTH_ASKS_SHARED]);
			if (earlier->answer)
				dns_asks_answer(&mail->asks, index, earlier->answer, now_us);
		} else if ((answer = from_cache(mail, index, now_us)) != NULL) {
			counter_inc(&counters->v[AUTH_ASKS_CACHED]);
			dns_asks_answer(&mail->asks, index, answer, now_us);
			dns_answer_release(answer);
		} else if (mail->gave_up) {
			dns_asks_answer(
				&mail->asks, index, dns_answer_failure(DNS_TIMEOUT), now_us);
		} else {
			line_up(mail, index);
		}
	}
}

bool pipeline_dns_next(struct auth_mail *mail, uint32_t *index, struct dns_question *question)
{
	while (mail->next_out < mail->n_out) {
		const struct dns_ask *ask;

		*index = mail->out[mail->next_out++];
		ask = mail->asks.ask[*index];
		if (ask->state != DNS_ASK_SENT)
			continue; /* given up meanwhile */
		*question = ask->question;
		return true;
	}
	return false;
}

void pipeline_dns_answer(
	struct auth_mail *mail, uint32_t index, const struct dns_answer *answer, uint64_t now_us)
{
	if (index >= mail->asks.n)
		return;
	const struct dns_question *question = &mail->asks.ask[index]->question;

	dns_asks_answer(&mail->asks, index, answer, now_us);
	for (unsigned i = index + 1; i < mail->asks.n; i++) {
		const struct dns_ask *ask = mail->asks.ask[i];
		if (ask->state == DNS_ASK_SENT && dns_question_same(&ask->question, question))
			dns_asks_answer(&mail->asks, i, answer, now_us);
	}
}
