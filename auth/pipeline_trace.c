#include "auth/arc/arc_chain.h"
#include "auth/pipeline_priv.h"

/*
 * The trace is told in the order of time. Events are gathered from what the evaluators keep anyway,
 * so that nothing is noted twice.
 */

struct event {
	uint64_t at_us;
	uint16_t index; /* of the question, the signature or the set */
	uint8_t kind;   /* enum trace_kind */
};

#define MAX_EVENTS (6 + 2 * DNS_ASKS_MAX + 2 * DKIM_MAX_SIGNATURES + ARC_MAX_SETS)

struct events {
	unsigned n;
	struct event at[MAX_EVENTS];
};

static void add(struct events *events, uint64_t at_us, enum trace_kind kind, unsigned index)
{
	if (at_us == 0)
		return; /* has not happened */
	unsigned i = events->n++;
	/* Nearly sorted already: insertion is cheap. */
	for (; i > 0 && events->at[i - 1].at_us > at_us; i--)
		events->at[i] = events->at[i - 1];
	events->at[i] = (struct event){at_us, (uint16_t)index, (uint8_t)kind};
}

static void gather_signatures(const struct auth_mail *mail, struct events *events)
{
	struct arc_check_view view;

	for (unsigned i = 0; i < dkim_verifier_count(mail->dkim); i++) {
		const struct dkim_result *result = dkim_verifier_result(mail->dkim, i);
		add(events, result->hashed_us, TRACE_HASHED, i);
		add(events, result->verified_us, TRACE_DKIM, i);
	}
	for (unsigned i = 0; i < arc_verifier_chain_length(mail->arc); i++)
		if (arc_verifier_seal(mail->arc, i, &view))
			add(events, view.verified_us, TRACE_SEAL, i);
	if (arc_verifier_message(mail->arc, &view))
		add(events, view.verified_us, TRACE_AMS, 0);
}

static void gather(const struct auth_mail *mail, struct events *events)
{
	for (unsigned i = 0; i < mail->asks.n; i++) {
		const struct dns_ask *ask = mail->asks.ask[i];
		if (ask->early_us > 0)
			add(events, ask->asked_us, TRACE_EARLY, i);
		add(events, ask->asked_us, TRACE_ASK, i);
		add(events, ask->answered_us, TRACE_ANSWER, i);
	}
	add(events, mail->header_us, TRACE_HEADER, 0);
	gather_signatures(mail, events);
	add(events, mail->ended_us, TRACE_ENDED, 0);
	add(events, mail->ready_us, TRACE_VERDICT, 0);
}

static void put_question(struct trace_writer *w, const struct dns_ask *ask, unsigned index)
{
	trace_number(w, index);
	trace_word(w, trace_type_word(ask->question.type));
	trace_octets(w, bytes_of(ask->question.name, ask->question.name_len));
}

static void put_record(
	struct trace_writer *w, uint16_t type, const struct dns_record *record, size_t max)
{
	struct bytes octets = type == DNS_A || type == DNS_AAAA
				      ? bytes_of(&record->addr, sizeof(record->addr))
			      : type == DNS_TXT ? record->text
						: record->name;

	trace_octets(w, bytes_slice(octets, 0, max));
	if (octets.len > max && !w->overflow)
		w->data[w->len - 1] = TRACE_RECORD_CUT;
}

static void put_answer(
	struct trace_writer *w, const struct dns_ask *ask, unsigned index, size_t max)
{
	const struct dns_answer *answer = ask->answer;

	trace_number(w, index);
	trace_word(w, dns_outcome_word(answer->outcome));
	trace_number(w, answer->secure);
	trace_number(w, answer->ttl_s);
	for (unsigned i = 0; answer->outcome == DNS_OK && i < answer->n && i < TRACE_RECORDS_MAX;
		i++)
		put_record(w, ask->question.type, &answer->records[i], max);
}

static void put_check(
	struct trace_writer *w, enum auth_result result, const char *reason, unsigned batch)
{
	trace_word(w, auth_result_word(result));
	trace_word(w, reason ? reason : "");
	trace_number(w, batch > 1 ? batch : 0);
}

static void put_signature(
	struct trace_writer *w, const struct dkim_result *result, enum trace_kind kind)
{
	trace_octets(w, bytes_slice(result->selector, 0, TRACE_RECORD_MAX));
	trace_octets(w, bytes_slice(result->domain, 0, TRACE_RECORD_MAX));
	if (kind == TRACE_DKIM)
		put_check(w, result->result, result->reason, result->batch);
}

static void put_arc(struct trace_writer *w, const struct auth_mail *mail, const struct event *event)
{
	const struct arc_chain *chain = arc_verifier_chain(mail->arc);
	struct arc_check_view view = {.result = AUTH_NONE};

	if (event->kind == TRACE_SEAL) {
		const struct dkim_sig *seal = chain->set[event->index].as;
		arc_verifier_seal(mail->arc, event->index, &view);
		trace_number(w, event->index + 1u);
		trace_octets(w, seal ? seal->domain : (struct bytes){NULL, 0});
	} else {
		arc_verifier_message(mail->arc, &view);
		trace_number(w, chain->length);
	}
	put_check(w, view.result, view.reason, view.batch);
}

static enum auth_result best_dkim(const struct auth_verdict *verdict)
{
	enum auth_result best = AUTH_NONE;

	for (unsigned i = 0; i < verdict->n_dkim && best != AUTH_PASS; i++)
		best = verdict->dkim[i].result;
	return best;
}

static void put_verdict(struct trace_writer *w, const struct auth_verdict *v)
{
	const char *policy = dmarc_policy_word(v->dmarc.policy);

	trace_word(w, auth_result_word(v->spf.result));
	trace_octets(w, bytes_slice(v->spf.reason, 0, TRACE_RECORD_MAX));
	trace_word(w, auth_result_word(v->helo.result));
	trace_word(w, auth_result_word(v->iprev.result));
	trace_octets(w, v->iprev.name);
	trace_word(w, auth_result_word(best_dkim(v)));
	trace_word(w, auth_result_word(v->arc.result));
	trace_word(w, v->arc.reason ? v->arc.reason : "");
	trace_word(w, auth_result_word(v->dmarc.result));
	trace_word(w, v->dmarc.reason ? v->dmarc.reason : "");
	trace_word(w, policy ? policy : "");
}

/* `max`: octets of a record. */
static bool put_event(
	const struct auth_mail *mail, const struct event *event, size_t max, struct trace_writer *w)
{
	enum trace_kind kind = (enum trace_kind)event->kind;

	trace_event(w, kind, event->at_us > mail->begun_us ? event->at_us - mail->begun_us : 0);
	switch (kind) {
	case TRACE_ASK: put_question(w, mail->asks.ask[event->index], event->index); break;
	case TRACE_EARLY:
		put_question(w, mail->asks.ask[event->index], event->index);
		trace_number(w, mail->begun_us - mail->asks.ask[event->index]->early_us);
		break;
	case TRACE_ANSWER: put_answer(w, mail->asks.ask[event->index], event->index, max); break;
	case TRACE_HASHED:
	case TRACE_DKIM:
		put_signature(w, dkim_verifier_result(mail->dkim, event->index), kind);
		break;
	case TRACE_SEAL:
	case TRACE_AMS: put_arc(w, mail, event); break;
	case TRACE_VERDICT: put_verdict(w, &mail->verdict); break;
	default: break;
	}
	return trace_end_event(w);
}

void auth_mail_trace(const struct auth_mail *mail, struct trace_writer *out)
{
	struct events events;

	events.n = 0; /* the rest is written before it is read */
	gather(mail, &events);
	for (unsigned i = 0; i < events.n; i++) {
		unsigned lost = out->lost;
		if (!put_event(mail, &events.at[i], TRACE_RECORD_MAX, out) &&
			put_event(mail, &events.at[i], TRACE_RECORD_SHORT, out))
			out->lost = lost;
		else if (out->lost > lost)
			out->lost = lost + 1;
	}
}
