#include "auth/message/fields.h"

void fields_init(struct fields *fields, uint8_t *buffer, uint32_t capacity)
{
	*fields = (struct fields){.buffer = buffer, .capacity = capacity};
}

/* ftext (RFC 5322 §3.6.8); the colon cannot be met here. */
static bool is_field_name(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_vchar(name.data[i]))
			return false;
	}
	return name.len > 0;
}

void field_from_raw(struct field *field, struct bytes raw)
{
	size_t colon = bytes_find(raw, ':');
	struct bytes before = bytes_slice(raw, 0, colon);
	size_t line_len = bytes_find_bytes(before, BYTES("\r\n"));
	bool on_first_line = colon != BYTES_NPOS && line_len == BYTES_NPOS;

	field->raw = raw;
	field->name = bytes_trim(bytes_slice(before, 0, line_len));
	field->well_formed = on_first_line && is_field_name(before);
	if (on_first_line) {
		field->value = bytes_from(raw, colon + 1);
		return;
	}
	/*
	 * No colon on the first line. Some readers unfold before they look for it, others take the
	 * whole line for the name; this name serves for both.
	 */
	field->value = bytes_from(raw, line_len);
	struct bytes folded = bytes_trim_fws(field->value);

	if (folded.len > 0 && folded.data[0] == ':')
		field->value = bytes_from(folded, 1);
}

static enum fields_event end_field(struct fields *fields, uint32_t end, struct field *field)
{
	field_from_raw(
		field, bytes_of(fields->buffer + fields->field_start, end - fields->field_start));
	fields->field_start = fields->line_start;
	return FIELDS_FIELD;
}

/* Takes at most one line, or of its start one octet: what is taken never goes past an empty line.
 */
static bool take(struct fields *fields, struct bytes *input)
{
	size_t n = 1;

	if (fields->len > fields->line_start) {
		size_t lf = bytes_find(*input, '\n');

		n = lf == BYTES_NPOS ? input->len : lf + 1;
	}
	if (n > fields->capacity - fields->len)
		return false;
	memcpy(fields->buffer + fields->len, input->data, n);
	fields->len += (uint32_t)n;
	*input = bytes_from(*input, n);
	return true;
}

static bool is_hidden(int c)
{
	return !ascii_is_vchar(c);
}

/* The graphic octets of `line` up to its colon are `name`. */
static bool line_resembles(struct bytes line, struct bytes name)
{
	size_t n = 0;

	for (size_t i = 0; i < line.len && line.data[i] != ':'; i++) {
		if (is_hidden(line.data[i]))
			continue;
		if (n == name.len || ascii_lower(line.data[i]) != ascii_lower(name.data[n]))
			return false;
		n++;
	}
	return n == name.len;
}

/* Behind a `c` that is no part of a CRLF, which SMTP would not have let in, a line resembles it. */
static bool resembles_behind(struct bytes raw, char c, struct bytes name)
{
	size_t from = 0, at;

	while ((at = bytes_find(bytes_from(raw, from), c)) != BYTES_NPOS) {
		size_t here = from + at;
		struct cursor line = cursor_of(bytes_from(raw, here + 1));
		bool folds = c == '\r' ? cursor_peek(&line) == '\n'
				       : c == '\n' && here > 0 && raw.data[here - 1] == '\r';

		from = here + 1;
		if (folds)
			continue;
		/* Lines that begin within a run of these are all the same: read once, not from each
		 * of a quarter of a million NULs. */
		from += cursor_take_while(&line, is_hidden).len;
		if (line_resembles(cursor_rest(&line), name))
			return true;
	}
	return false;
}

bool field_resembles(const struct field *field, struct bytes name)
{
	return field_is(field, name) || line_resembles(field->raw, name) ||
	       resembles_behind(field->raw, '\r', name) ||
	       resembles_behind(field->raw, '\n', name) || resembles_behind(field->raw, '\0', name);
}

static bool line_is_complete(const struct fields *fields)
{
	return fields->len >= fields->line_start + 2 && fields->buffer[fields->len - 2] == '\r' &&
	       fields->buffer[fields->len - 1] == '\n';
}

enum fields_event fields_feed(struct fields *fields, struct bytes *input, struct field *field)
{
	while (input->len > 0 && !fields->ended && !fields->too_large) {
		bool first = fields->len == fields->line_start;

		if (!take(fields, input)) {
			fields->too_large = true;
			break;
		}
		if (first && fields->field_start < fields->line_start &&
			!ascii_is_wsp(fields->buffer[fields->line_start]))
			return end_field(fields, fields->line_start - 2, field);
		if (!line_is_complete(fields))
			continue;
		if (fields->len == fields->line_start + 2) {
			fields->len = fields->line_start;
			fields->ended = true;
		}
		fields->line_start = fields->len;
	}
	if (fields->too_large)
		return FIELDS_TOO_LARGE;
	return fields->ended ? FIELDS_END : FIELDS_MORE;
}

enum fields_event fields_finish(struct fields *fields, struct field *field)
{
	uint32_t end = fields->len;

	if (fields->too_large)
		return FIELDS_TOO_LARGE;
	if (fields->ended || fields->field_start == fields->len) {
		fields->ended = true;
		return FIELDS_END;
	}
	/* The last line may lack its end. */
	if (fields->line_start == fields->len)
		end -= 2;
	fields->line_start = fields->len;
	return end_field(fields, end, field);
}

struct bytes fields_section(const struct fields *fields)
{
	return bytes_of(fields->buffer, fields->len);
}
