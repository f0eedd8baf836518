#include "auth/message/authres.h"

#include "base/utf8.h"

#define FOLD_COLUMN  78
#define INDENT_WIDTH 8 /* a tab */
#define FOLD         "\r\n\t"

/* Every piece goes through here, so that the column is true. */
static void put(struct authres *ar, struct bytes piece)
{
	text_put(ar->out, piece);
	ar->column += (unsigned)piece.len;
}

static void fold(struct authres *ar)
{
	text_put(ar->out, BYTES(FOLD));
	ar->column = INDENT_WIDTH;
}

/* A blank, or folding where the next `len` octets would not fit on the line. */
static void put_blank(struct authres *ar, size_t len)
{
	if (ar->column > INDENT_WIDTH && ar->column + 1 + len > FOLD_COLUMN)
		fold(ar);
	else
		put(ar, BYTES(" "));
}

/* token (RFC 2045 §5.1) */
static bool is_token_octet(int c)
{
	return ascii_is_vchar(c) && !strchr("()<>@,;:\\\"/[]?=", c);
}

static bool is_atext(int c)
{
	return ascii_is_alnum(c) || (ascii_is_vchar(c) && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_atext(int c)
{
	return is_atext(c) || c == '.';
}

static bool is_domain_octet(int c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static bool is_all(struct bytes b, bool (*of_class)(int c))
{
	for (size_t i = 0; i < b.len; i++) {
		if (!of_class(b.data[i]))
			return false;
	}
	return b.len > 0;
}

/*
 * [ [ local-part ] "@" ] domain-name of RFC 8601 §2.2, the local part a dot-atom, and no encoded
 * word that somebody might decode.
 */
static bool is_address(struct bytes value)
{
	size_t at = bytes_rfind(value, '@');
	struct bytes local = bytes_slice(value, 0, at);

	return at != BYTES_NPOS && is_all(bytes_from(value, at + 1), is_domain_octet) &&
	       (local.len == 0 || (is_all(local, is_dot_atext) && local.data[0] != '.' &&
					  local.data[local.len - 1] != '.' &&
					  bytes_find_bytes(local, BYTES("..")) == BYTES_NPOS &&
					  bytes_find_bytes(local, BYTES("=?")) == BYTES_NPOS));
}

/* U+0080 to U+009F */
static bool is_c1_control(struct bytes sequence)
{
	return sequence.data[0] == 0xc2 && sequence.data[1] < 0xa0;
}

/* Octets that go together: one of ASCII, or one sequence of UTF-8. What may not pass becomes '?'.
 */
static struct bytes next_safe(struct bytes *rest, size_t *taken)
{
	*taken = 1;
	if (rest->data[0] < 0x80)
		return rest->data[0] >= ' ' && rest->data[0] != 0x7f ? bytes_slice(*rest, 0, 1)
								     : BYTES("?");
	size_t len = utf8_len(*rest);

	if (len == 0 || is_c1_control(*rest))
		return BYTES("?");
	*taken = len;
	return bytes_slice(*rest, 0, len);
}

/* Text within quotes or parentheses: those of `special` behind a backslash, folded at blanks. */
static void put_escaped(struct authres *ar, struct bytes value, const char *special)
{
	bool cut = value.len > AUTHRES_VALUE_MAX;
	struct bytes rest = bytes_slice(value, 0, AUTHRES_VALUE_MAX);
	size_t taken;

	for (; rest.len > 0; rest = bytes_from(rest, taken)) {
		struct bytes piece = next_safe(&rest, &taken);

		if (piece.data[0] == ' ') {
			struct bytes word = bytes_from(rest, 1);
			size_t len = bytes_find(word, ' ');

			/* The blank stays; only the CRLF of folding goes away again. */
			len = len == BYTES_NPOS ? word.len : len;
			if (len > 0 && ar->column > INDENT_WIDTH &&
				ar->column + 2 + len > FOLD_COLUMN) {
				text_put(ar->out, BYTES("\r\n"));
				ar->column = 0;
			}
		} else if (strchr(special, piece.data[0])) {
			put(ar, BYTES("\\"));
		}
		put(ar, piece);
	}
	if (cut)
		put(ar, BYTES("..."));
}

static size_t first_word_len(struct bytes text)
{
	size_t blank = bytes_find(text, ' ');

	return blank == BYTES_NPOS ? text.len : blank;
}

static void put_quoted(struct authres *ar, struct bytes value)
{
	put(ar, BYTES("\""));
	put_escaped(ar, value, "\"\\");
	put(ar, BYTES("\""));
}

static bool is_bare(struct bytes value)
{
	return is_all(value, is_token_octet) || is_address(value);
}

void authres_begin(struct authres *ar, struct text *out, struct bytes authserv_id)
{
	*ar = (struct authres){.out = out, .first = true};
	put(ar, BYTES("Authentication-Results: "));
	if (is_all(authserv_id, is_token_octet))
		put(ar, authserv_id);
	else
		put_quoted(ar, authserv_id);
}

void authres_method(struct authres *ar, const char *method, enum auth_result result)
{
	put(ar, BYTES(";"));
	fold(ar);
	put(ar, bytes_str(method));
	put(ar, BYTES("="));
	put(ar, bytes_str(auth_result_word(result)));
	ar->first = false;
}

void authres_reason(struct authres *ar, struct bytes reason)
{
	put_blank(ar, strlen("reason=") + 2 + first_word_len(reason));
	put(ar, BYTES("reason="));
	if (is_all(reason, is_token_octet) && reason.len <= AUTHRES_VALUE_MAX)
		put(ar, reason);
	else
		put_quoted(ar, reason);
}

void authres_property(
	struct authres *ar, const char *ptype, const char *property, struct bytes value)
{
	bool bare = is_bare(value);
	size_t name_len = strlen(ptype) + 1 + strlen(property);

	/* A value cut short would be another value. */
	if (value.len > AUTHRES_VALUE_MAX) {
		char note[128];
		struct text text;

		text_init(&text, note, sizeof(note));
		text_printf(&text, "%s.%s is too long", ptype, property);
		authres_comment(ar, text_bytes(&text));
		return;
	}
	put_blank(ar, name_len + 1 + (bare ? value.len : first_word_len(value) + 2));
	put(ar, bytes_str(ptype));
	put(ar, BYTES("."));
	put(ar, bytes_str(property));
	put(ar, BYTES("="));
	if (bare)
		put(ar, value);
	else
		put_quoted(ar, value);
}

void authres_comment(struct authres *ar, struct bytes comment)
{
	put_blank(ar, first_word_len(comment) + 2);
	put(ar, BYTES("("));
	put_escaped(ar, comment, "()\\");
	put(ar, BYTES(")"));
}

void authres_end(struct authres *ar)
{
	if (ar->first)
		put(ar, BYTES("; none"));
	text_put(ar->out, BYTES("\r\n"));
}

/* The part of a value before its first ';', as a reader of RFC 8601 and a careless one may see it.
 */
#define ID_MAX 256

struct id_reader {
	struct cursor c;
	struct text joined; /* every octet but blanks and comments */
	size_t first_len;   /* of it, up to the first blank, '/' or comment; SIZE_MAX while in it */
	char data[ID_MAX + 1];
};

static void end_word(struct id_reader *r)
{
	if (r->joined.len > 0 && r->first_len == SIZE_MAX)
		r->first_len = r->joined.len;
}

static bool skip_comment(struct cursor *c)
{
	unsigned depth = 0;
	int octet;

	while ((octet = cursor_next(c)) >= 0) {
		if (octet == '\\')
			cursor_next(c);
		depth += octet == '(';
		depth -= octet == ')';
		if (depth == 0)
			return true;
	}
	return false;
}

static bool read_quoted(struct id_reader *r)
{
	int octet;

	while ((octet = cursor_next(&r->c)) >= 0 && octet != '"') {
		if (octet == '\\')
			octet = cursor_next(&r->c);
		if (octet >= 0 && octet != '\r' && octet != '\n')
			text_putc(&r->joined, (char)octet);
	}
	return octet == '"';
}

/* false: a comment or string does not end. */
static bool read_id(struct id_reader *r)
{
	while (!cursor_done(&r->c) && cursor_peek(&r->c) != ';') {
		int octet = cursor_peek(&r->c);

		if (octet == '(') {
			end_word(r);
			if (!skip_comment(&r->c))
				return false;
			continue;
		}
		r->c.at++;
		if (octet == '"') {
			if (!read_quoted(r))
				return false;
			continue;
		}
		if (octet == '\\')
			octet = cursor_next(&r->c);
		if (octet <= ' ' || octet == '/' || octet == 0x7f)
			end_word(r);
		else
			text_putc(&r->joined, (char)octet);
	}
	end_word(r);
	return true;
}

static bool contains_nocase(struct bytes b, struct bytes what)
{
	for (size_t i = 0; i + what.len <= b.len; i++) {
		if (bytes_eq_nocase(bytes_slice(b, i, what.len), what))
			return true;
	}
	return false;
}

static bool is_id(struct bytes text, struct bytes id)
{
	text = bytes_trim(text);
	if (text.len > 1 && text.data[text.len - 1] == '.')
		text.len--;
	return bytes_eq_nocase(text, id);
}

bool authres_claims(struct bytes field_value, struct bytes authserv_id)
{
	struct id_reader r = {.c = cursor_of(field_value), .first_len = SIZE_MAX};
	struct bytes joined;

	text_init(&r.joined, r.data, sizeof(r.data));
	if (!read_id(&r))
		return contains_nocase(field_value, authserv_id);
	joined = text_bytes(&r.joined);
	/* "mx . example . org" is one id to who drops blanks; an encoded word may be any. */
	return is_id(joined, authserv_id) ||
	       is_id(bytes_slice(joined, 0, r.first_len), authserv_id) ||
	       bytes_starts(joined, BYTES("=?"));
}
