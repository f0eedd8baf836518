#include "auth/trace_format.h"

#include "auth/dns/dns.h"
#include "base/json_text.h"

struct kind {
	const char *word, *text, *fields;
};

static const struct kind kinds[] = {
#define X(name, word, text, fields) [TRACE_##name] = {word, text, fields},
	TRACE_KINDS(X)
#undef X
};

#define QUESTIONS_MAX DNS_ASKS_MAX

/* What answers refer to. */
struct questions {
	struct {
		struct bytes type, name;
	} at[QUESTIONS_MAX];
};

struct field {
	struct bytes name;
	char type;
	uint64_t number;
	struct bytes octets;
};

/* The next field of an event, by its kind's list; false where there is none, or it cannot be read.
 */
static bool next_field(struct bytes *list, struct cursor *from, struct field *field)
{
	struct bytes item;

	if (!bytes_split(list, ' ', &item) || item.len < 3)
		return false;
	field->name = bytes_slice(item, 0, item.len - 2);
	field->type = (char)item.data[item.len - 1];
	field->number = 0;
	field->octets = (struct bytes){NULL, 0};
	return field->type == 'n' ? trace_take_number(from, &field->number)
				  : trace_take_octets(from, &field->octets);
}

static void note_question(struct questions *questions, const struct trace_event_view *event)
{
	struct cursor fields = event->fields;
	struct bytes type, name;
	uint64_t number;

	if (trace_take_number(&fields, &number) && number < QUESTIONS_MAX &&
		trace_take_octets(&fields, &type) && trace_take_octets(&fields, &name)) {
		questions->at[number].type = type;
		questions->at[number].name = name;
	}
}

/* --- values ------------------------------------------------------------------------------------
 */

static bool is_address(const struct field *field)
{
	return field->type == 'i' && field->octets.len == sizeof(struct ip_addr);
}

static struct bytes address_text(struct bytes octets, char room[IP_ADDR_TEXT_MAX])
{
	struct ip_addr addr;

	memcpy(addr.octets, octets.data, sizeof(addr.octets));
	return bytes_of(room, ip_addr_format(&addr, room));
}

/* One line of text: what is not printable ASCII becomes \xNN; a backslash, and `quote`, get a
 * backslash in front, so that what was there can be told from what was made of it. */
static void put_quoted(struct text *out, struct bytes value, int quote)
{
	for (size_t i = 0; i < value.len; i++) {
		int c = value.data[i];

		if (c == '\\' || c == quote)
			text_putc(out, '\\');
		if (c == ' ' || ascii_is_vchar(c))
			text_putc(out, (char)c);
		else
			text_printf(out, "\\x%02x", (unsigned)c);
	}
}

static void put_clean(struct text *out, struct bytes value)
{
	put_quoted(out, value, 0);
}

/* --- the records of an answer ------------------------------------------------------------------
 */

/* An address, or octets. */
static struct bytes record_text(struct bytes type, struct bytes record, char room[IP_ADDR_TEXT_MAX])
{
	bool is_ip = bytes_eq(type, BYTES("A")) || bytes_eq(type, BYTES("AAAA"));

	return is_ip && record.len == sizeof(struct ip_addr) ? address_text(record, room) : record;
}

static void put_records(struct text *out, struct bytes type, struct cursor *fields)
{
	char room[IP_ADDR_TEXT_MAX];
	struct bytes record;
	bool quoted = bytes_eq(type, BYTES("TXT"));

	while (!cursor_done(fields) && trace_take_octets(fields, &record)) {
		text_put(out, quoted ? BYTES(" \"") : BYTES(" "));
		put_quoted(out, record_text(type, record, room), quoted ? '"' : 0);
		if (quoted)
			text_putc(out, '"');
	}
}

static void put_records_json(struct text *out, struct bytes type, struct cursor *fields)
{
	char room[IP_ADDR_TEXT_MAX];
	struct bytes record;

	text_put(out, BYTES(",\"records\":["));
	for (bool first = true; !cursor_done(fields) && trace_take_octets(fields, &record);
		first = false) {
		if (!first)
			text_putc(out, ',');
		json_text_put(out, record_text(type, record, room));
	}
	text_putc(out, ']');
}

/* --- text --------------------------------------------------------------------------------------
 */

static void put_value(struct text *out, const struct field *field)
{
	char room[IP_ADDR_TEXT_MAX];

	if (field->type == 'n')
		text_printf(out, "%llu", (unsigned long long)field->number);
	else if (is_address(field))
		text_put(out, address_text(field->octets, room));
	else
		put_clean(out, field->octets);
}

/* A stretch of the kind's text; in braces it is left out where its field says nothing: ", for %"
 * without a reason. */
static void put_stretch(struct text *out, struct bytes text, bool in_braces, struct bytes *list,
	struct cursor *fields)
{
	struct field field = {.type = 0};

	if (in_braces) {
		if (!next_field(list, fields, &field) ||
			(field.type == 'n' ? field.number == 0 : field.octets.len == 0))
			return;
	}
	for (size_t i = 0; i < text.len; i++) {
		int c = text.data[i];

		if (c != '%' && c != '#')
			text_putc(out, (char)c);
		else if ((in_braces || next_field(list, fields, &field)) && c == '%')
			put_value(out, &field);
	}
}

static void put_text(struct text *out, const struct kind *kind, struct cursor *fields)
{
	struct bytes rest = bytes_str(kind->text), list = bytes_str(kind->fields);

	while (rest.len > 0) {
		bool in_braces = rest.data[0] == '{';
		size_t end = bytes_find(rest, in_braces ? '}' : '{');

		end = end == BYTES_NPOS ? rest.len : end;
		put_stretch(out, bytes_slice(rest, in_braces, end - in_braces), in_braces, &list,
			fields);
		rest = bytes_from(rest, end + in_braces);
	}
}

/* "answer TXT example.org ok ...": the question in its own words. */
static void put_answer(
	struct text *out, const struct questions *questions, struct trace_event_view *event)
{
	struct cursor fields = event->fields;
	uint64_t number = QUESTIONS_MAX;
	struct bytes type = {NULL, 0};

	text_put(out, BYTES("answer "));
	trace_take_number(&fields, &number);
	if (number < QUESTIONS_MAX) {
		type = questions->at[number].type;
		put_clean(out, type);
		text_putc(out, ' ');
		put_clean(out, questions->at[number].name);
		text_putc(out, ' ');
	}
	struct bytes outcome;
	uint64_t secure, ttl_s;

	if (!trace_take_octets(&fields, &outcome) || !trace_take_number(&fields, &secure) ||
		!trace_take_number(&fields, &ttl_s))
		return;
	put_clean(out, outcome);
	text_put(out, secure ? BYTES(" secure") : BYTES(""));
	put_records(out, type, &fields);
}

static void put_lines(struct text *out, struct bytes text)
{
	for (struct bytes line; bytes_split(&text, '\n', &line);) {
		if (line.len == 0)
			continue;
		put_clean(out, line);
		text_putc(out, '\n');
	}
}

void trace_format_text(struct bytes record, struct text *out)
{
	struct questions questions = {0};
	struct trace_event_view event;
	struct cursor events;

	if (!trace_open(record, &events)) {
		put_lines(out, record);
		return;
	}
	while (trace_next(&events, &event)) {
		if (event.at_us != TRACE_NO_TIME)
			text_printf(out, "+%llu ", (unsigned long long)event.at_us);
		if (event.kind == TRACE_ASK)
			note_question(&questions, &event);
		if (event.kind == TRACE_ANSWER)
			put_answer(out, &questions, &event);
		else
			put_text(out, &kinds[event.kind], &event.fields);
		text_putc(out, '\n');
	}
}

/* --- JSON --------------------------------------------------------------------------------------
 */

static void put_field_json(struct text *out, const struct field *field)
{
	char room[IP_ADDR_TEXT_MAX];

	text_printf(out, ",\"%.*s\":", BYTES_FMT(field->name));
	if (field->type == 'n')
		text_printf(out, "%llu", (unsigned long long)field->number);
	else
		json_text_put(
			out, is_address(field) ? address_text(field->octets, room) : field->octets);
}

static void put_event_json(
	struct text *out, const struct questions *questions, struct trace_event_view *event)
{
	const struct kind *kind = &kinds[event->kind];
	struct bytes list = bytes_str(kind->fields);
	struct field field;
	uint64_t question = QUESTIONS_MAX;

	text_putc(out, '{');
	if (event->at_us != TRACE_NO_TIME)
		text_printf(out, "\"at_us\":%llu,", (unsigned long long)event->at_us);
	text_printf(out, "\"event\":\"%s\"", kind->word);
	while (list.len > 0 && next_field(&list, &event->fields, &field)) {
		put_field_json(out, &field);
		if (bytes_eq(field.name, BYTES("question")))
			question = field.number;
	}
	if (event->kind == TRACE_ANSWER && question < QUESTIONS_MAX) {
		text_put(out, BYTES(",\"type\":"));
		json_text_put(out, questions->at[question].type);
		text_put(out, BYTES(",\"name\":"));
		json_text_put(out, questions->at[question].name);
		put_records_json(out, questions->at[question].type, &event->fields);
	}
	text_putc(out, '}');
}

void trace_format_json(struct bytes record, struct text *out)
{
	struct questions questions = {0};
	struct trace_event_view event;
	struct cursor events;
	bool first = true;

	text_putc(out, '[');
	if (!trace_open(record, &events)) {
		text_put(out, BYTES("{\"event\":\"note\",\"text\":"));
		json_text_put(out, record);
		text_put(out, BYTES("}]"));
		return;
	}
	for (; trace_next(&events, &event); first = false) {
		if (!first)
			text_putc(out, ',');
		if (event.kind == TRACE_ASK)
			note_question(&questions, &event);
		put_event_json(out, &questions, &event);
	}
	text_putc(out, ']');
}
