#include "auth/dns/dns_name.h"

static bool add_label(struct dns_name *name, const uint8_t *label, size_t len)
{
	/* One octet stays free for the root. */
	if (len == 0 || len > DNS_NAME_LABEL_MAX || name->len + 1 + len > DNS_NAME_WIRE_MAX - 1)
		return false;
	name->wire[name->len++] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		name->wire[name->len++] = (uint8_t)ascii_lower(label[i]);
	return true;
}

static void end_name(struct dns_name *name)
{
	name->wire[name->len++] = 0;
}

bool dns_name_from_text(struct dns_name *name, struct bytes text)
{
	struct bytes label;

	name->len = 0;
	if (text.len > 1 && text.data[text.len - 1] == '.')
		text.len--;
	if (text.len == 0 || text.len > DNS_NAME_TEXT_MAX)
		return false;
	while (bytes_split(&text, '.', &label)) {
		if (!add_label(name, label.data, label.len))
			return false;
	}
	end_name(name);
	return true;
}

bool dns_name_from_wire(struct dns_name *name, struct bytes wire)
{
	struct cursor c = cursor_of(wire);
	struct bytes label;
	int len;

	name->len = 0;
	while ((len = cursor_next(&c)) > 0) {
		if (!cursor_take(&c, (size_t)len, &label) ||
			!add_label(name, label.data, label.len))
			return false;
	}
	if (len < 0 || !cursor_done(&c))
		return false;
	end_name(name);
	return true;
}

#define POINTER_BITS 0xc0
#define POINTERS_MAX 127 /* a name has no more labels, so no honest one has more pointers */

bool dns_name_from_packet(struct dns_name *name, struct bytes packet, size_t *at)
{
	size_t pos = *at, lowest = *at;
	unsigned jumps = 0;

	name->len = 0;
	for (;;) {
		if (pos >= packet.len)
			return false;
		unsigned len = packet.data[pos];

		if (len == 0)
			break;
		if ((len & POINTER_BITS) == POINTER_BITS) {
			if (packet.len - pos < 2)
				return false;
			size_t target = (size_t)(len & ~POINTER_BITS) << 8 | packet.data[pos + 1];

			if (jumps == 0)
				*at = pos + 2;
			/* Strictly below every place jumped from or to: no loop. */
			if (target >= lowest || ++jumps > POINTERS_MAX)
				return false;
			lowest = pos = target;
			continue;
		}
		if (len > DNS_NAME_LABEL_MAX || packet.len - pos - 1 < len ||
			!add_label(name, packet.data + pos + 1, len))
			return false;
		pos += 1 + len;
	}
	if (jumps == 0)
		*at = pos + 1;
	end_name(name);
	return true;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

bool dns_name_to_text(const struct dns_name *name, char *text, size_t *text_len)
{
	size_t n = 0;

	for (unsigned pos = 0; name->wire[pos] != 0;) {
		unsigned len = name->wire[pos++];

		if (memchr(name->wire + pos, '.', len))
			return false;
		if (n > 0)
			text[n++] = '.';
		memcpy(text + n, name->wire + pos, len);
		n += len;
		pos += len;
	}
	*text_len = n;
	return true;
}
