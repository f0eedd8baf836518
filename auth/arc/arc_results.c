#include "auth/arc/arc_results.h"

#include "auth/message/cfws.h"

void arc_results_init(
	struct arc_results *results, struct bytes authserv_id, char *buffer, size_t size)
{
	*results = (struct arc_results){.authserv_id = authserv_id};
	text_init(&results->joined, buffer, size);
	text_put(&results->joined, authserv_id);
}

static bool is_word_octet(int c)
{
	return ascii_is_vchar(c) && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* A quoted string as it stands between its quotes, or a token; empty where there is neither. */
static struct bytes take_word(struct cursor *c)
{
	if (!cursor_accept(c, '"'))
		return cursor_take_while(c, is_word_octet);
	struct bytes word = cursor_take_to(c, '"');
	return cursor_accept(c, '"') ? word : (struct bytes){NULL, 0};
}

/* Over the authserv-id, which must be this one, and a version. */
static bool take_id(struct cursor *c, struct bytes id)
{
	uint64_t version;

	if (!cfws_skip(c) || !bytes_eq_nocase(take_word(c), id) || !cfws_skip(c))
		return false;
	if (ascii_is_digit(cursor_peek(c)) && cursor_take_u64(c, UINT32_MAX, &version))
		return false;
	return cfws_skip(c) && cursor_accept(c, ';');
}

/* To the next semicolon that stands in no comment and no string; false where one of these does not
 * end. */
static bool take_result(struct cursor *c, struct bytes *result)
{
	const uint8_t *from = c->at;

	while (!cursor_done(c) && *c->at != ';') {
		if (*c->at == '(') {
			if (!cfws_skip(c))
				return false;
		} else if (*c->at++ == '"') {
			while (!cursor_done(c) && *c->at != '"')
				c->at += *c->at == '\\' && cursor_left(c) > 1 ? 2 : 1;
			if (!cursor_accept(c, '"'))
				return false;
		}
	}
	*result = bytes_of(from, (size_t)(c->at - from));
	cursor_accept(c, ';');
	return true;
}

/* The version of a method, where it is told (RFC 8601 §2.2), and the blanks on its either side. */
static bool take_version(struct cursor *c)
{
	uint64_t version;

	if (!cfws_skip(c))
		return false;
	if (!cursor_accept(c, '/'))
		return true;
	return cfws_skip(c) && cursor_take_u64(c, UINT32_MAX, &version) == 0 && cfws_skip(c);
}

/* Whether this is a result of that method, and which; a word that is none counts as permerror. */
static bool is_of_method(struct bytes text, struct bytes method, enum auth_result *result)
{
	struct cursor c = cursor_of(text);

	if (!cfws_skip(&c) || !bytes_eq_nocase(take_word(&c), method) || !take_version(&c) ||
		!cursor_accept(&c, '=') || !cfws_skip(&c))
		return false;
	struct bytes word = take_word(&c);
	*result = AUTH_PERMERROR;
	for (enum auth_result r = 0; r < AUTH_RESULT_COUNT; r++)
		if (bytes_eq_nocase(word, bytes_str(auth_result_word(r))))
			*result = r;
	return true;
}

enum auth_result arc_results_find(struct bytes aar, struct bytes method)
{
	size_t colon = bytes_find(aar, ':');
	struct cursor c = cursor_of(bytes_from(aar, colon == BYTES_NPOS ? aar.len : colon + 1));
	enum auth_result result;
	struct bytes text;

	/* The instance and the id are parted from the results by semicolons too. */
	while (!cursor_done(&c) && take_result(&c, &text))
		if (is_of_method(text, method, &result))
			return result;
	return AUTH_NONE;
}

/* Folding is the only control that may be signed on. */
static bool is_clean(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		int c = value.data[i];
		bool folds = c == '\r' && i + 1 < value.len && value.data[i + 1] == '\n';

		if (folds)
			i++;
		else if (ascii_is_ctl(c) && c != '\t')
			return false;
	}
	return true;
}

static bool is_whole(struct bytes value)
{
	struct cursor c = cursor_of(value);
	struct bytes result;

	while (!cursor_done(&c))
		if (!take_result(&c, &result))
			return false;
	return is_clean(value);
}

void arc_results_add(struct arc_results *results, const struct field *field)
{
	struct cursor c = cursor_of(field->value);
	struct bytes result;

	if (!field_is(field, BYTES("Authentication-Results")) || !field->well_formed ||
		!take_id(&c, results->authserv_id) || !is_whole(cursor_rest(&c)))
		return;
	while (!cursor_done(&c) && take_result(&c, &result)) {
		result = bytes_trim_fws(result);
		if (result.len == 0 || bytes_eq_nocase(result, BYTES("none")))
			continue;
		text_put(&results->joined, BYTES(";\r\n\t"));
		text_put(&results->joined, result);
		results->n_arc += is_of_method(result, BYTES("arc"), &results->arc);
	}
}

struct bytes arc_results_end(struct arc_results *results)
{
	if (results->joined.len == results->authserv_id.len)
		text_put(&results->joined, BYTES("; none"));
	return text_bytes(&results->joined);
}
