/*
 * Borrowed byte strings, a cursor to parse them, and a bounded text builder.
 *
 * Nothing here allocates, keeps what it was given, or depends on the locale. Bytes are octets as a
 * peer sent them: they may hold NUL and are not NUL-terminated.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of octets. {NULL, 0} is "absent"; {non-NULL, 0} is "empty". */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/* The octets of a string literal without its NUL; usable in static initialisers. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})
/* Arguments for printf's "%.*s". Only for text known to be printable. */
#define BYTES_FMT(b) ((int)(b).len), ((const char *)(b).data)

/* ASCII character classes (RFC 5234 appendix B.1), the same in every locale. */
static inline bool ascii_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_upper(int c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_lower(int c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool ascii_is_alpha(int c)
{
	return ascii_is_upper(c) || ascii_is_lower(c);
}

static inline bool ascii_is_alnum(int c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* WSP: blank or tab. */
static inline bool ascii_is_wsp(int c)
{
	return c == ' ' || c == '\t';
}

/* VCHAR: visible, 0x21 to 0x7e. */
static inline bool ascii_is_vchar(int c)
{
	return c > 0x20 && c < 0x7f;
}

/* CTL: 0x00 to 0x1f, and DEL. */
static inline bool ascii_is_ctl(int c)
{
	return (c >= 0 && c < 0x20) || c == 0x7f;
}

static inline int ascii_lower(int c)
{
	return ascii_is_upper(c) ? c + ('a' - 'A') : c;
}

static inline int ascii_upper(int c)
{
	return ascii_is_lower(c) ? c - ('a' - 'A') : c;
}

/* Value of a hexadecimal digit of either case, or -1. */
int ascii_hex_value(int c);

static inline struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){(const uint8_t *)data, len};
}

/* The octets of a NUL-terminated string; NULL gives "absent". */
static inline struct bytes bytes_str(const char *text)
{
	return bytes_of(text, text ? strlen(text) : 0);
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Equal but for the case of ASCII letters. */
bool bytes_eq_nocase(struct bytes a, struct bytes b);
/* Order as by memcmp, a shorter prefix first: below, at or above zero. */
int bytes_cmp(struct bytes a, struct bytes b);
bool bytes_starts(struct bytes b, struct bytes prefix);
bool bytes_starts_nocase(struct bytes b, struct bytes prefix);
bool bytes_ends_nocase(struct bytes b, struct bytes suffix);

/* Up to len octets from offset `from`; both are clamped to what is there. */
static inline struct bytes bytes_slice(struct bytes b, size_t from, size_t len)
{
	if (from > b.len)
		from = b.len;
	if (len > b.len - from)
		len = b.len - from;
	return bytes_of(b.data ? b.data + from : NULL, len);
}
/* Everything from offset `from` on, clamped. */
static inline struct bytes bytes_from(struct bytes b, size_t from)
{
	return bytes_slice(b, from, SIZE_MAX);
}

#define BYTES_NPOS SIZE_MAX
/* Offset of the first (last) `c`, or BYTES_NPOS. */
size_t bytes_find(struct bytes b, char c);
size_t bytes_rfind(struct bytes b, char c);
/* Offset of the first occurrence of `what`, or BYTES_NPOS; an empty `what` is found at 0. */
size_t bytes_find_bytes(struct bytes b, struct bytes what);

/* Without WSP (bytes_trim) or without WSP, CR and LF (bytes_trim_fws) at both ends. */
struct bytes bytes_trim(struct bytes b);
struct bytes bytes_trim_fws(struct bytes b);

/*
 * Takes the next piece up to `separator` off `rest`; false when none is left. Empty pieces count:
 * "a,,b" has three, "" has one and "absent" none.
 *
 *	for (struct bytes rest = list, piece; bytes_split(&rest, ',', &piece);)
 */
bool bytes_split(struct bytes *rest, char separator, struct bytes *piece);

/*
 * The whole of `b` as an unsigned decimal number of at most `max`: digits only, at least one.
 * Returns 0, -EINVAL (not a number) or -ERANGE (above max).
 */
int bytes_to_u64(struct bytes b, uint64_t max, uint64_t *value);

/* A position in borrowed octets. Every function stays inside; none moves on failure. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

typedef bool (*cursor_class_fn)(int c);

static inline struct cursor cursor_of(struct bytes b)
{
	/* Never NULL inside: adding 0 to NULL is undefined in C. */
	const uint8_t *at = b.data ? b.data : (const uint8_t *)"";

	return (struct cursor){at, at + b.len};
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

static inline bool cursor_done(const struct cursor *c)
{
	return c->at == c->end;
}

static inline struct bytes cursor_rest(const struct cursor *c)
{
	return bytes_of(c->at, cursor_left(c));
}

/* The next octet as 0 to 255, or -1 at the end; cursor_next also steps over it. */
static inline int cursor_peek(const struct cursor *c)
{
	return cursor_done(c) ? -1 : *c->at;
}

static inline int cursor_next(struct cursor *c)
{
	return cursor_done(c) ? -1 : *c->at++;
}

/* Steps over `octet` (or `word`) if it comes next. */
bool cursor_accept(struct cursor *c, char octet);
bool cursor_accept_bytes(struct cursor *c, struct bytes word);
bool cursor_accept_nocase(struct cursor *c, struct bytes word);
/* Exactly len octets; false if fewer are left. */
bool cursor_take(struct cursor *c, size_t len, struct bytes *taken);
/* The run of octets that are (are not) of a class; may be empty. */
static inline struct bytes cursor_take_while(struct cursor *c, cursor_class_fn of_class)
{
	const uint8_t *from = c->at;

	while (c->at < c->end && of_class(*c->at))
		c->at++;
	return bytes_of(from, (size_t)(c->at - from));
}
struct bytes cursor_take_until(struct cursor *c, cursor_class_fn of_class);
/* The run before the next `octet`, or the rest; the octet itself stays. */
struct bytes cursor_take_to(struct cursor *c, char octet);
/* Steps over WSP and tells how many octets that was. */
size_t cursor_skip_wsp(struct cursor *c);
/* A run of digits as a number of at most `max`: 0, -EINVAL (no digit) or -ERANGE. */
int cursor_take_u64(struct cursor *c, uint64_t max, uint64_t *value);

/*
 * Builds text in the caller's memory. A piece that does not fit is left out whole, `overflow` is
 * set, and everything after it is left out too, so what is there is always a true prefix made of
 * whole pieces. One octet of the memory is kept for text_str()'s NUL.
 */
struct text {
	char *data;
	size_t len;
	size_t cap;
	bool overflow;
};

/* `buf` of `cap` octets is borrowed until the text is no longer used. */
void text_init(struct text *t, char *buf, size_t cap);
void text_reset(struct text *t);
static inline void text_put(struct text *t, struct bytes b);
static inline void text_putc(struct text *t, char c);
/* `b` with ASCII letters in lower case. */
void text_put_lower(struct text *t, struct bytes b);
void text_put_u64(struct text *t, uint64_t value);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *t, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* The text so far, NUL-terminated; stays owned by the builder. */
const char *text_str(struct text *t);

/* Room for `len` more octets, the NUL aside; where not, everything from here on is left out. */
static inline bool text_fits(struct text *t, size_t len)
{
	if (!t->overflow && t->len < t->cap && len <= t->cap - t->len - 1)
		return true;
	t->overflow = true;
	return false;
}

static inline void text_put(struct text *t, struct bytes b)
{
	if (b.len == 0 || !text_fits(t, b.len))
		return;
	memcpy(t->data + t->len, b.data, b.len);
	t->len += b.len;
}

static inline void text_putc(struct text *t, char c)
{
	if (text_fits(t, 1))
		t->data[t->len++] = c;
}

static inline struct bytes text_bytes(const struct text *t)
{
	return bytes_of(t->data, t->len);
}
