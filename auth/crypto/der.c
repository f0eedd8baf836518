#include "auth/crypto/der.h"

/* Nothing read here is longer than 64 KiB. */
#define DER_LENGTH_OCTETS_MAX 2

static bool take_length(struct cursor *in, size_t *len)
{
	int first = cursor_next(in);
	if (first < 0)
		return false;
	if (first < 0x80) {
		*len = (size_t)first;
		return true;
	}
	int n = first & 0x7f;
	if (n < 1 || n > DER_LENGTH_OCTETS_MAX)
		return false;
	size_t value = 0;
	for (int i = 0; i < n; i++) {
		int octet = cursor_next(in);
		if (octet < 0)
			return false;
		value = value << 8 | (size_t)octet;
	}
	*len = value;
	return value >= 0x80 && (n == 1 || value > 0xff);
}

bool der_take(struct cursor *in, enum der_tag tag, struct bytes *content)
{
	size_t len;
	return cursor_next(in) == (int)tag && take_length(in, &len) &&
	       cursor_take(in, len, content);
}

bool der_take_positive(struct cursor *in, struct bytes *magnitude)
{
	struct bytes content;
	if (!der_take(in, DER_INTEGER, &content) || content.len == 0 || content.data[0] & 0x80)
		return false;
	if (content.data[0] == 0) {
		if (content.len == 1 || !(content.data[1] & 0x80))
			return false;
		content = bytes_from(content, 1);
	}
	*magnitude = content;
	return true;
}
