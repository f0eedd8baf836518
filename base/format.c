#include "base/format.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* Digits of the largest number in any base that is known. */
#define DIGITS_MAX 20

/* What is written, and how long it would be if all of it had room. */
struct sink {
	char *out;
	size_t cap, len;
};

/* One conversion between % and its letter. */
struct spec {
	bool left, zeros;
	int width, precision; /* precision < 0: none */
	enum { OF_INT, OF_LONG, OF_LONG_LONG, OF_SIZE } size;
	char letter;
};

static void put(struct sink *s, const char *from, size_t len)
{
	size_t room = s->len < s->cap ? s->cap - s->len : 0;

	if (room > 0)
		memcpy(s->out + s->len, from, len < room ? len : room);
	s->len += len;
}

static void pad(struct sink *s, char with, int width, size_t len)
{
	for (size_t i = len; width > 0 && i < (size_t)width; i++)
		put(s, &with, 1);
}

static int number_of(const char **at)
{
	int n = 0;

	for (; **at >= '0' && **at <= '9' && n < INT_MAX / 10 - 1; ++*at)
		n = n * 10 + (**at - '0');
	return n;
}

/* Reads what follows a %, up to and with the letter. */
static struct spec read_spec(const char **at, va_list *args)
{
	struct spec spec = {.precision = -1};

	for (;; ++*at) {
		if (**at == '-')
			spec.left = true;
		else if (**at == '0')
			spec.zeros = true;
		else
			break;
	}
	spec.width = number_of(at);
	if (**at == '.' && (*at)[1] == '*') {
		*at += 2;
		spec.precision = va_arg(*args, int);
	} else if (**at == '.') {
		++*at;
		spec.precision = number_of(at);
	}
	if (**at == 'z') {
		spec.size = OF_SIZE;
		++*at;
	} else if (**at == 'l') {
		spec.size = (*at)[1] == 'l' ? OF_LONG_LONG : OF_LONG;
		*at += spec.size == OF_LONG_LONG ? 2 : 1;
	}
	spec.letter = **at;
	if (spec.letter)
		++*at;
	return spec;
}

static void put_field(struct sink *s, const struct spec *spec, const char *from, size_t len)
{
	if (!spec->left)
		pad(s, ' ', spec->width, len);
	put(s, from, len);
	if (spec->left)
		pad(s, ' ', spec->width, len);
}

static void put_string(struct sink *s, const struct spec *spec, const char *from)
{
	size_t most = spec->precision < 0 ? SIZE_MAX : (size_t)spec->precision;

	if (!from)
		from = "(null)";
	put_field(s, spec, from, strnlen(from, most));
}

static void put_number(struct sink *s, const struct spec *spec, uint64_t value, bool negative)
{
	const char *digit = spec->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	bool hex = spec->letter == 'x' || spec->letter == 'X';
	bool in_zeros = spec->zeros && !spec->left;
	char digits[DIGITS_MAX + 1];
	size_t at = sizeof(digits);

	do
		digits[--at] = digit[hex ? value % 16 : value % 10];
	while ((value = hex ? value / 16 : value / 10) != 0);
	if (negative && !in_zeros)
		digits[--at] = '-';
	if (!in_zeros) {
		put_field(s, spec, digits + at, sizeof(digits) - at);
		return;
	}
	put(s, "-", negative);
	pad(s, '0', spec->width - negative, sizeof(digits) - at);
	put(s, digits + at, sizeof(digits) - at);
}

static void put_signed(struct sink *s, const struct spec *spec, va_list *args)
{
	int64_t value = 0;

	switch (spec->size) {
	case OF_INT: value = va_arg(*args, int); break;
	case OF_LONG: value = va_arg(*args, long); break;
	case OF_LONG_LONG: value = va_arg(*args, long long); break;
	case OF_SIZE: value = va_arg(*args, ssize_t); break;
	}
	put_number(s, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

static void put_unsigned(struct sink *s, const struct spec *spec, va_list *args)
{
	uint64_t value = 0;

	switch (spec->size) {
	case OF_INT: value = va_arg(*args, unsigned); break;
	case OF_LONG: value = va_arg(*args, unsigned long); break;
	case OF_LONG_LONG: value = va_arg(*args, unsigned long long); break;
	case OF_SIZE: value = va_arg(*args, size_t); break;
	}
	put_number(s, spec, value, false);
}

/* False where the letter, or something before it, is not known here. */
static bool put_conversion(struct sink *s, const struct spec *spec, va_list *args)
{
	char c;

	switch (spec->letter) {
	case 's':
		if (spec->size != OF_INT)
			return false;
		put_string(s, spec, va_arg(*args, const char *));
		return true;
	case 'c':
		c = (char)va_arg(*args, int);
		put_field(s, spec, &c, 1);
		return true;
	case '%': put(s, "%", 1); return true;
	default: break;
	}
	if (spec->precision >= 0)
		return false;
	switch (spec->letter) {
	case 'd':
	case 'i': put_signed(s, spec, args); return true;
	case 'u':
	case 'x':
	case 'X': put_unsigned(s, spec, args); return true;
	default: return false;
	}
}

static bool put_all(struct sink *s, const char *at, va_list *args)
{
	while (*at) {
		const char *percent = strchrnul(at, '%');
		struct spec spec;

		put(s, at, (size_t)(percent - at));
		if (!*percent)
			break;
		at = percent + 1;
		spec = read_spec(&at, args);
		if (!put_conversion(s, &spec, args))
			return false;
	}
	return true;
}

int format_text(char *out, size_t cap, const char *format, va_list args)
{
	struct sink s = {.out = out, .cap = cap > 0 ? cap - 1 : 0};
	va_list copy;
	bool known;

	va_copy(copy, args);
	known = put_all(&s, format, &copy);
	va_end(copy);
	if (!known)
		return vsnprintf(out, cap, format, args);
	if (cap > 0)
		out[s.len < s.cap ? s.len : s.cap] = '\0';
	return s.len <= INT_MAX ? (int)s.len : -1;
}
