#include "base/ip_addr.h"

#include <errno.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct ip_addr ip_addr_v4(uint32_t host_order)
{
	struct ip_addr a;

	memcpy(a.octets, v4_prefix, sizeof(v4_prefix));
	for (unsigned i = 0; i < 4; i++)
		a.octets[12 + i] = (uint8_t)(host_order >> (24 - 8 * i));
	return a;
}

struct ip_addr ip_addr_v6(const uint8_t octets[16])
{
	struct ip_addr a;

	memcpy(a.octets, octets, sizeof(a.octets));
	return a;
}

bool ip_addr_is_v4(const struct ip_addr *a)
{
	return memcmp(a->octets, v4_prefix, sizeof(v4_prefix)) == 0;
}

uint32_t ip_addr_v4_of(const struct ip_addr *a)
{
	return (uint32_t)a->octets[12] << 24 | (uint32_t)a->octets[13] << 16 |
	       (uint32_t)a->octets[14] << 8 | a->octets[15];
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
	static const uint8_t v6_loopback[16] = {[15] = 1};

	if (ip_addr_is_v4(a))
		return a->octets[12] == 127;
	return memcmp(a->octets, v6_loopback, sizeof(v6_loopback)) == 0;
}

/* dotted-quad at the cursor, without leading zeros (they would be octal to some). */
static int take_v4(struct cursor *c, uint8_t octets[4])
{
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *from;
		uint64_t value;

		if (i > 0 && !cursor_accept(c, '.'))
			return -EINVAL;
		from = c->at;
		if (cursor_take_u64(c, 255, &value) != 0)
			return -EINVAL;
		if (*from == '0' && c->at - from > 1)
			return -EINVAL;
		octets[i] = (uint8_t)value;
	}
	return 0;
}

int ip_addr_parse_v4(struct bytes text, struct ip_addr *a)
{
	struct cursor c = cursor_of(text);
	uint8_t octets[4];

	if (take_v4(&c, octets) != 0 || !cursor_done(&c))
		return -EINVAL;
	memcpy(a->octets, v4_prefix, sizeof(v4_prefix));
	memcpy(a->octets + 12, octets, sizeof(octets));
	return 0;
}

/* One group of 1 to 4 hexadecimal digits. */
static int take_group(struct cursor *c, uint8_t octets[2])
{
	unsigned value = 0, digits = 0;
	int digit;

	while (digits < 5 && (digit = ascii_hex_value(cursor_peek(c))) >= 0) {
		value = value << 4 | (unsigned)digit;
		digits++;
		c->at++;
	}
	if (digits == 0 || digits > 4)
		return -EINVAL;
	octets[0] = (uint8_t)(value >> 8);
	octets[1] = (uint8_t)value;
	return 0;
}

/* The octets of the groups as written, and at which of them a "::" stood (or -1). */
struct v6_groups {
	uint8_t octets[16];
	unsigned len;
	int gap;
};

/* What may follow a group: the end, ":" and another group, or the one "::". */
static int take_separator(struct cursor *c, struct v6_groups *g)
{
	if (!cursor_accept(c, ':') || cursor_done(c))
		return -EINVAL;
	if (cursor_accept(c, ':')) {
		if (g->gap >= 0)
			return -EINVAL;
		g->gap = (int)g->len;
	}
	return 0;
}

static int take_groups(struct cursor *c, struct v6_groups *g)
{
	if (cursor_accept_bytes(c, BYTES("::")))
		g->gap = 0;
	while (!cursor_done(c)) {
		struct cursor v4 = *c;

		if (g->len <= 12 && take_v4(&v4, g->octets + g->len) == 0 && cursor_done(&v4)) {
			g->len += 4;
			*c = v4;
			return 0;
		}
		if (g->len > 14 || take_group(c, g->octets + g->len) != 0)
			return -EINVAL;
		g->len += 2;
		if (!cursor_done(c) && take_separator(c, g) != 0)
			return -EINVAL;
	}
	return 0;
}

int ip_addr_parse_v6(struct bytes text, struct ip_addr *a)
{
	struct cursor c = cursor_of(text);
	struct v6_groups g = {.gap = -1};
	struct ip_addr out = {0};
	unsigned tail;

	if (take_groups(&c, &g) != 0)
		return -EINVAL;
	/* "::" stands for one group or more (RFC 4291 §2.2). */
	if (g.gap < 0 ? g.len != 16 : g.len > 14)
		return -EINVAL;
	if (g.gap < 0)
		g.gap = 16;
	tail = g.len > (unsigned)g.gap ? g.len - (unsigned)g.gap : 0;
	memcpy(out.octets, g.octets, g.len - tail);
	memcpy(out.octets + 16 - tail, g.octets + g.len - tail, tail);
	*a = out;
	return 0;
}

int ip_addr_parse(struct bytes text, struct ip_addr *a)
{
	return bytes_find(text, ':') == BYTES_NPOS ? ip_addr_parse_v4(text, a)
						   : ip_addr_parse_v6(text, a);
}

static unsigned group_of(const struct ip_addr *a, unsigned i)
{
	return (unsigned)a->octets[2 * i] << 8 | a->octets[2 * i + 1];
}

/* The first of the longest runs of at least two zero groups (RFC 5952 §4.2). */
static unsigned find_gap(const struct ip_addr *a, unsigned *len)
{
	unsigned best = 8, run = 0;

	*len = 1;
	for (unsigned i = 0; i < 8; i++) {
		run = group_of(a, i) == 0 ? run + 1 : 0;
		if (run > *len) {
			*len = run;
			best = i + 1 - run;
		}
	}
	return best;
}

static void put_v6(struct text *t, const struct ip_addr *a)
{
	unsigned gap_len, gap = find_gap(a, &gap_len);

	for (unsigned i = 0; i < 8; i++) {
		if (i == gap) {
			text_put(t, BYTES("::"));
			i += gap_len - 1;
			continue;
		}
		if (i > 0 && i != gap + gap_len)
			text_putc(t, ':');
		text_printf(t, "%x", group_of(a, i));
	}
}

size_t ip_addr_format(const struct ip_addr *a, char out[IP_ADDR_TEXT_MAX])
{
	struct text t;

	text_init(&t, out, IP_ADDR_TEXT_MAX);
	if (ip_addr_is_v4(a))
		text_printf(&t, "%u.%u.%u.%u", a->octets[12], a->octets[13], a->octets[14],
			a->octets[15]);
	else
		put_v6(&t, a);
	text_str(&t);
	return t.len;
}

/* Bits of octet `i` that a prefix of `len` bits covers. */
static uint8_t prefix_mask(unsigned len, unsigned i)
{
	if (len >= 8 * (i + 1))
		return 0xff;
	return len <= 8 * i ? 0 : (uint8_t)(0xff00 >> (len - 8 * i));
}

int ip_cidr_init(struct ip_cidr *net, const struct ip_addr *addr, unsigned family_prefix_len)
{
	bool v4 = ip_addr_is_v4(addr);
	struct ip_addr masked = *addr;
	unsigned len;

	if (family_prefix_len > (v4 ? 32 : 128))
		return -EINVAL;
	len = family_prefix_len + (v4 ? 96 : 0);
	for (unsigned i = 0; i < 16; i++)
		masked.octets[i] &= prefix_mask(len, i);
	net->addr = masked;
	net->prefix_len = (uint8_t)len;
	return 0;
}

int ip_cidr_parse(struct bytes text, bool strict, struct ip_cidr *net)
{
	size_t slash = bytes_find(text, '/');
	struct bytes digits = bytes_from(text, slash == BYTES_NPOS ? text.len : slash + 1);
	struct ip_cidr parsed;
	struct ip_addr addr;
	uint64_t len;

	if (ip_addr_parse(bytes_slice(text, 0, slash), &addr) != 0)
		return -EINVAL;
	if (slash == BYTES_NPOS)
		len = ip_addr_is_v4(&addr) ? 32 : 128;
	else if (bytes_to_u64(digits, 128, &len) != 0 || (digits.data[0] == '0' && digits.len > 1))
		return -EINVAL;
	else if (ip_addr_is_v4(&addr) && bytes_find(text, ':') != BYTES_NPOS) {
		/* A network written as ::ffff:192.0.2.0/120 counts over 128 bits. */
		if (len < 96)
			return -EINVAL;
		len -= 96;
	}
	if (ip_cidr_init(&parsed, &addr, (unsigned)len) != 0)
		return -EINVAL;
	if (strict && !ip_addr_eq(&parsed.addr, &addr))
		return -EINVAL;
	*net = parsed;
	return 0;
}

bool ip_cidr_match(const struct ip_cidr *net, const struct ip_addr *a)
{
	if (ip_addr_is_v4(&net->addr) != ip_addr_is_v4(a))
		return false;
	for (unsigned i = 0; i < 16; i++)
		if ((a->octets[i] ^ net->addr.octets[i]) & prefix_mask(net->prefix_len, i))
			return false;
	return true;
}

size_t ip_cidr_format(const struct ip_cidr *net, char out[IP_CIDR_TEXT_MAX])
{
	struct text t;

	text_init(&t, out, IP_CIDR_TEXT_MAX);
	t.len = ip_addr_format(&net->addr, out);
	text_putc(&t, '/');
	text_put_u64(&t, net->prefix_len - (ip_addr_is_v4(&net->addr) ? 96u : 0u));
	text_str(&t);
	return t.len;
}
