#include "base/dsn.h"

static const struct {
	struct bytes word;
	uint8_t bit;
} notifies[] = {
#define X(id, bit, word) {BYTES(word), id},
	DSN_NOTIFIES(X)
#undef X
};

#define N_NOTIFIES (sizeof(notifies) / sizeof(notifies[0]))

static const char *const rets[] = {
#define X(id, word) [id] = word,
	DSN_RETS(X)
#undef X
};

static uint8_t notify_bit(struct bytes word)
{
	for (size_t i = 0; i < N_NOTIFIES; i++)
		if (bytes_eq_nocase(word, notifies[i].word))
			return notifies[i].bit;
	return 0;
}

bool dsn_notify_parse(struct bytes value, uint8_t *notify)
{
	struct cursor at = cursor_of(value);
	uint8_t bits = 0;

	do {
		uint8_t bit = notify_bit(cursor_take_to(&at, ','));

		if (bit == 0 || bits & bit)
			return false;
		bits |= bit;
	} while (cursor_accept(&at, ','));
	*notify = bits;
	return cursor_done(&at) && (bits == DSN_NEVER || !(bits & DSN_NEVER));
}

void dsn_notify_put(struct text *out, uint8_t notify)
{
	const char *separator = "";

	for (size_t i = 0; i < N_NOTIFIES; i++)
		if (notify & notifies[i].bit) {
			text_printf(out, "%s%.*s", separator, BYTES_FMT(notifies[i].word));
			separator = ",";
		}
}

bool dsn_ret_parse(struct bytes value, uint8_t *ret)
{
	for (uint8_t i = DSN_RET_FULL; i <= DSN_RET_HDRS; i++)
		if (bytes_eq_nocase(value, bytes_str(rets[i]))) {
			*ret = i;
			return true;
		}
	return false;
}

const char *dsn_ret_word(uint8_t ret)
{
	return ret <= DSN_RET_HDRS ? rets[ret] : "";
}

static bool is_upper_hex(int c)
{
	return ascii_is_digit(c) || (c >= 'A' && c <= 'F');
}

bool dsn_xtext_valid(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.data[i];

		if (!ascii_is_vchar(c) || c == '=')
			return false;
		if (c != '+')
			continue;
		if (value.len - i < 3 || !is_upper_hex(value.data[i + 1]) ||
			!is_upper_hex(value.data[i + 2]))
			return false;
		i += 2;
	}
	return true;
}

void dsn_xtext_decode(struct text *out, struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		int c = value.data[i];

		if (c == '+' && value.len - i >= 3) {
			c = ascii_hex_value(value.data[i + 1]) * 16 +
			    ascii_hex_value(value.data[i + 2]);
			i += 2;
		}
		text_putc(out, c >= ' ' && c < 0x7f ? (char)c : '?');
	}
}

bool dsn_envid_valid(struct bytes value)
{
	return value.len > 0 && value.len <= DSN_ENVID_MAX && dsn_xtext_valid(value);
}

/* An atom of letters, digits and hyphens, as all registered types are (RFC 3464 §2.1.2). */
static bool is_type_octet(int c)
{
	return ascii_is_alnum(c) || c == '-';
}

bool dsn_orcpt_valid(struct bytes value)
{
	struct cursor at = cursor_of(value);

	return value.len <= DSN_ORCPT_MAX && cursor_take_while(&at, is_type_octet).len > 0 &&
	       cursor_accept(&at, ';') && !cursor_done(&at) && dsn_xtext_valid(cursor_rest(&at));
}
