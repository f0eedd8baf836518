#include "base/bytes.h"

#include <errno.h>

#include "base/format.h"

int ascii_hex_value(int c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool bytes_eq_nocase(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
			return false;
	return true;
}

int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	if (order != 0 || a.len == b.len)
		return order;
	return a.len < b.len ? -1 : 1;
}

bool bytes_starts(struct bytes b, struct bytes prefix)
{
	return b.len >= prefix.len && bytes_eq(bytes_slice(b, 0, prefix.len), prefix);
}

bool bytes_starts_nocase(struct bytes b, struct bytes prefix)
{
	return b.len >= prefix.len && bytes_eq_nocase(bytes_slice(b, 0, prefix.len), prefix);
}

bool bytes_ends_nocase(struct bytes b, struct bytes suffix)
{
	return b.len >= suffix.len && bytes_eq_nocase(bytes_from(b, b.len - suffix.len), suffix);
}

size_t bytes_find(struct bytes b, char c)
{
	const uint8_t *at = b.len ? memchr(b.data, (unsigned char)c, b.len) : NULL;

	return at ? (size_t)(at - b.data) : BYTES_NPOS;
}

size_t bytes_rfind(struct bytes b, char c)
{
	const uint8_t *at = b.len ? memrchr(b.data, (unsigned char)c, b.len) : NULL;

	return at ? (size_t)(at - b.data) : BYTES_NPOS;
}

size_t bytes_find_bytes(struct bytes b, struct bytes what)
{
	const uint8_t *at;

	if (what.len == 0)
		return 0;
	if (what.len > b.len)
		return BYTES_NPOS;
	at = memmem(b.data, b.len, what.data, what.len);
	return at ? (size_t)(at - b.data) : BYTES_NPOS;
}

static bool is_fws(int c)
{
	return ascii_is_wsp(c) || c == '\r' || c == '\n';
}

static bool is_wsp(int c)
{
	return ascii_is_wsp(c);
}

static struct bytes trim(struct bytes b, cursor_class_fn of_class)
{
	size_t from = 0;

	while (b.len > 0 && of_class(b.data[b.len - 1]))
		b.len--;
	while (from < b.len && of_class(b.data[from]))
		from++;
	return bytes_from(b, from);
}

struct bytes bytes_trim(struct bytes b)
{
	return trim(b, is_wsp);
}

struct bytes bytes_trim_fws(struct bytes b)
{
	return trim(b, is_fws);
}

bool bytes_split(struct bytes *rest, char separator, struct bytes *piece)
{
	size_t at;

	if (!rest->data)
		return false;
	at = bytes_find(*rest, separator);
	if (at == BYTES_NPOS) {
		*piece = *rest;
		*rest = (struct bytes){NULL, 0};
	} else {
		*piece = bytes_slice(*rest, 0, at);
		*rest = bytes_from(*rest, at + 1);
	}
	return true;
}

int bytes_to_u64(struct bytes b, uint64_t max, uint64_t *value)
{
	struct cursor c = cursor_of(b);
	uint64_t number;
	int err;

	for (size_t i = 0; i < b.len; i++)
		if (!ascii_is_digit(b.data[i]))
			return -EINVAL;
	err = cursor_take_u64(&c, max, &number);
	if (err == 0)
		*value = number;
	return err;
}

bool cursor_accept(struct cursor *c, char octet)
{
	if (cursor_peek(c) != (unsigned char)octet)
		return false;
	c->at++;
	return true;
}

bool cursor_accept_bytes(struct cursor *c, struct bytes word)
{
	if (!bytes_starts(cursor_rest(c), word))
		return false;
	c->at += word.len;
	return true;
}

bool cursor_accept_nocase(struct cursor *c, struct bytes word)
{
	if (!bytes_starts_nocase(cursor_rest(c), word))
		return false;
	c->at += word.len;
	return true;
}

bool cursor_take(struct cursor *c, size_t len, struct bytes *taken)
{
	if (len > cursor_left(c))
		return false;
	*taken = bytes_of(c->at, len);
	c->at += len;
	return true;
}

struct bytes cursor_take_until(struct cursor *c, cursor_class_fn of_class)
{
	const uint8_t *from = c->at;

	while (!cursor_done(c) && !of_class(*c->at))
		c->at++;
	return bytes_of(from, (size_t)(c->at - from));
}

struct bytes cursor_take_to(struct cursor *c, char octet)
{
	struct bytes run = bytes_slice(cursor_rest(c), 0, bytes_find(cursor_rest(c), octet));

	c->at += run.len;
	return run;
}

size_t cursor_skip_wsp(struct cursor *c)
{
	return cursor_take_while(c, is_wsp).len;
}

int cursor_take_u64(struct cursor *c, uint64_t max, uint64_t *value)
{
	const uint8_t *at = c->at;
	uint64_t number = 0;

	if (!ascii_is_digit(cursor_peek(c)))
		return -EINVAL;
	for (; at < c->end && ascii_is_digit(*at); at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (digit > max || number > (max - digit) / 10)
			return -ERANGE;
		number = number * 10 + digit;
	}
	c->at = at;
	*value = number;
	return 0;
}

void text_init(struct text *t, char *buf, size_t cap)
{
	*t = (struct text){.data = buf, .cap = cap};
}

void text_reset(struct text *t)
{
	t->len = 0;
	t->overflow = false;
}

void text_put_lower(struct text *t, struct bytes b)
{
	if (b.len == 0 || !text_fits(t, b.len))
		return;
	for (size_t i = 0; i < b.len; i++)
		t->data[t->len + i] = (char)ascii_lower(b.data[i]);
	t->len += b.len;
}

void text_put_u64(struct text *t, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	text_put(t, bytes_of(digits + at, sizeof(digits) - at));
}

void text_vprintf(struct text *t, const char *format, va_list args)
{
	size_t room = t->overflow || t->len >= t->cap ? 0 : t->cap - t->len;
	int len = format_text(room ? t->data + t->len : NULL, room, format, args);

	if (len >= 0 && text_fits(t, (size_t)len))
		t->len += (size_t)len;
	else
		t->overflow = true;
}

void text_printf(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(t, format, args);
	va_end(args);
}

const char *text_str(struct text *t)
{
	if (t->cap == 0)
		return "";
	t->data[t->len] = '\0';
	return t->data;
}
