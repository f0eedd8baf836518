#include "gateway/cli/replay_dns.h"

#include "auth/pipeline.h"
#include "auth/trace.h"

static void note_question(struct replay_dns *dns, struct cursor fields)
{
	struct bytes type, name;
	uint64_t number;

	if (!trace_take_number(&fields, &number) || number >= DNS_ASKS_MAX ||
		!trace_take_octets(&fields, &type) || !trace_take_octets(&fields, &name))
		return;
	dns->of[number].type = type;
	dns->of[number].name = name;
	if (number >= dns->n)
		dns->n = (unsigned)number + 1;
}

static void note_answer(struct replay_dns *dns, struct cursor fields)
{
	uint64_t number;

	if (!trace_take_number(&fields, &number) || number >= DNS_ASKS_MAX)
		return;
	dns->of[number].fields = fields;
	dns->of[number].answered = true;
}

void replay_dns_open(struct replay_dns *dns, struct bytes trace)
{
	struct trace_event_view event;
	struct cursor events;

	memset(dns, 0, sizeof(*dns));
	if (!trace_open(trace, &events))
		return;
	while (trace_next(&events, &event)) {
		if (event.kind == TRACE_ASK)
			note_question(dns, event.fields);
		else if (event.kind == TRACE_ANSWER)
			note_answer(dns, event.fields);
	}
}

static bool outcome_of(struct bytes word, enum dns_outcome *out)
{
#define X(name, text)                                                                              \
	if (bytes_eq(word, BYTES(text))) {                                                         \
		*out = DNS_##name;                                                                 \
		return true;                                                                       \
	}
	DNS_OUTCOMES(X)
#undef X
	return false;
}

static bool record_of(uint16_t type, struct bytes octets, struct dns_record *record)
{
	*record = (struct dns_record){0};
	if (type == DNS_A || type == DNS_AAAA) {
		if (octets.len != sizeof(record->addr))
			return false;
		memcpy(&record->addr, octets.data, sizeof(record->addr));
	} else if (type == DNS_TXT) {
		record->text = octets;
	} else {
		record->name = octets; /* nothing that is evaluated goes by an MX's preference */
	}
	return true;
}

/* All of them, or false: some were not kept, or not whole. */
static bool take_records(
	uint16_t type, struct cursor *fields, struct dns_record *records, uint16_t *n)
{
	struct bytes octets;

	for (*n = 0; !cursor_done(fields); ++*n)
		if (*n == TRACE_RECORDS_MAX || !trace_take_octets(fields, &octets) ||
			trace_record_is_cut(octets) || !record_of(type, octets, &records[*n]))
			return false;
	return *n > 0 && *n < TRACE_RECORDS_MAX;
}

static const struct dns_answer *answer_of(struct cursor fields, const struct dns_question *question)
{
	struct dns_record records[TRACE_RECORDS_MAX];
	struct dns_answer like = {.records = records};
	struct bytes outcome;
	uint64_t secure, ttl_s;

	if (!trace_take_octets(&fields, &outcome) || !outcome_of(outcome, &like.outcome) ||
		!trace_take_number(&fields, &secure) || !trace_take_number(&fields, &ttl_s))
		return NULL;
	if (like.outcome == DNS_OK && !take_records(question->type, &fields, records, &like.n))
		return NULL;
	like.secure = secure != 0;
	like.ttl_s = (uint32_t)ttl_s;
	return dns_answer_new(&like, auth_dns_parsers.of[question->use]);
}

const struct dns_answer *replay_dns_answer(void *arg, const struct dns_question *question)
{
	struct bytes type = bytes_str(trace_type_word(question->type));
	struct bytes name = bytes_of(question->name, question->name_len);
	const struct dns_answer *answer = NULL;
	struct replay_dns *dns = arg;

	for (unsigned i = 0; i < dns->n && !answer; i++)
		if (dns->of[i].answered && bytes_eq(dns->of[i].type, type) &&
			bytes_eq(dns->of[i].name, name))
			answer = answer_of(dns->of[i].fields, question);
	if (answer)
		dns->kept++;
	else
		dns->missing++;
	return answer;
}
