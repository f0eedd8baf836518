#include "auth/pipeline_priv.h"

/*
 * The trace is told in the order of time. Events are gathered from what the evaluators keep anyway,
 * so a mail whose trace nobody reads costs nothing.
 */

enum event_kind {
	EVENT_HEADER,
	EVENT_ENDED,
	EVENT_READY,
	EVENT_ASKED,
	EVENT_ANSWERED,
	EVENT_HASHED,
	EVENT_VERIFIED
};

struct event {
	uint64_t at_us;
	uint16_t index; /* of the question or the signature */
	uint8_t kind;
};

#define MAX_EVENTS  (3 + 2 * DNS_ASKS_MAX + 2 * DKIM_MAX_SIGNATURES)
#define MAX_RECORDS 4  /* of an answer that are told */
#define MAX_TEXT    80 /* octets of a TXT record that are told */

struct events {
	unsigned n;
	struct event at[MAX_EVENTS];
};

static void add(struct events *events, uint64_t at_us, enum event_kind kind, unsigned index)
{
	if (at_us == 0)
		return; /* has not happened */
	unsigned i = events->n++;
	/* Nearly sorted already: insertion is cheap. */
	for (; i > 0 && events->at[i - 1].at_us > at_us; i--)
		events->at[i] = events->at[i - 1];
	events->at[i] = (struct event){at_us, (uint16_t)index, (uint8_t)kind};
}

static void gather(const struct auth_mail *mail, struct events *events)
{
	for (unsigned i = 0; i < mail->asks.n; i++) {
		const struct dns_ask *ask = mail->asks.ask[i];
		add(events, ask->asked_us, EVENT_ASKED, i);
		add(events, ask->answered_us, EVENT_ANSWERED, i);
	}
	add(events, mail->header_us, EVENT_HEADER, 0);
	for (unsigned i = 0; mail->dkim && i < dkim_verifier_count(mail->dkim); i++) {
		const struct dkim_result *result = dkim_verifier_result(mail->dkim, i);
		add(events, result->hashed_us, EVENT_HASHED, i);
		add(events, result->verified_us, EVENT_VERIFIED, i);
	}
	add(events, mail->ended_us, EVENT_ENDED, 0);
	add(events, mail->ready_us, EVENT_READY, 0);
}

/* Printable, so that a trace line stays one line. */
static void put_clean(struct text *out, struct bytes value)
{
	size_t at = out->len;

	text_put(out, bytes_slice(value, 0, MAX_TEXT));
	for (; at < out->len; at++)
		if (out->data[at] != ' ' && !ascii_is_vchar((uint8_t)out->data[at]))
			out->data[at] = '?';
	if (value.len > MAX_TEXT)
		text_put(out, BYTES("..."));
}

static const char *type_word(uint16_t type)
{
	switch (type) {
	case DNS_A: return "A";
	case DNS_AAAA: return "AAAA";
	case DNS_MX: return "MX";
	case DNS_PTR: return "PTR";
	case DNS_TXT: return "TXT";
	default: return "?";
	}
}

static void put_question(struct text *out, const struct dns_question *question)
{
	text_put(out, bytes_str(type_word(question->type)));
	text_putc(out, ' ');
	put_clean(out, bytes_of(question->name, question->name_len));
}

static void put_record(struct text *out, uint16_t type, const struct dns_record *record)
{
	char address[IP_ADDR_TEXT_MAX];

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		ip_addr_format(&record->addr, address);
		text_put(out, bytes_str(address));
		break;
	case DNS_TXT:
		text_putc(out, '"');
		put_clean(out, record->text);
		text_putc(out, '"');
		break;
	default: put_clean(out, record->name); break;
	}
}

static void put_answer(struct text *out, const struct dns_ask *ask)
{
	const struct dns_answer *answer = ask->answer;

	put_question(out, &ask->question);
	text_putc(out, ' ');
	text_put(out, bytes_str(dns_outcome_word(answer->outcome)));
	if (answer->secure)
		text_put(out, BYTES(" secure"));
	for (unsigned i = 0; answer->outcome == DNS_OK && i < answer->n && i < MAX_RECORDS; i++) {
		text_putc(out, ' ');
		put_record(out, ask->question.type, &answer->records[i]);
	}
	if (answer->outcome == DNS_OK && answer->n > MAX_RECORDS)
		text_printf(out, " and %u more", answer->n - MAX_RECORDS);
}

static void put_signature(struct text *out, const struct dkim_result *result, const char *what)
{
	text_printf(out, "dkim %s ", what);
	put_clean(out, result->selector);
	text_putc(out, '.');
	put_clean(out, result->domain);
}

static void put_event(const struct auth_mail *mail, const struct event *event, struct text *out)
{
	const struct dns_ask *ask = mail->asks.ask[event->index];

	switch ((enum event_kind)event->kind) {
	case EVENT_HEADER: text_put(out, BYTES("header complete")); break;
	case EVENT_ENDED: text_put(out, BYTES("content complete")); break;
	case EVENT_READY: text_put(out, BYTES("verdict")); break;
	case EVENT_ASKED:
		text_put(out, BYTES("ask "));
		put_question(out, &ask->question);
		break;
	case EVENT_ANSWERED:
		text_put(out, BYTES("answer "));
		put_answer(out, ask);
		break;
	case EVENT_HASHED:
		put_signature(out, dkim_verifier_result(mail->dkim, event->index), "hashed");
		break;
	case EVENT_VERIFIED:
		put_signature(out, dkim_verifier_result(mail->dkim, event->index), "verified");
		break;
	}
}

void auth_mail_trace(const struct auth_mail *mail, struct text *out)
{
	struct events events;
	char room[1024];
	struct text line;

	events.n = 0;
	gather(mail, &events);
	for (unsigned i = 0; i < events.n && !out->overflow; i++) {
		uint64_t at_us = events.at[i].at_us;
		text_init(&line, room, sizeof(room));
		text_putc(&line, '+');
		text_put_u64(&line, at_us > mail->begun_us ? at_us - mail->begun_us : 0);
		text_putc(&line, ' ');
		put_event(mail, &events.at[i], &line);
		text_putc(&line, '\n');
		text_put(out, text_bytes(&line));
	}
}
