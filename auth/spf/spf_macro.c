#include "auth/spf/spf_macro.h"

#include "auth/dns/dns.h"

/* A macro-expand as it stands in the string: "%{" letter [digits] ["r"] delimiters "}". */
struct macro {
	char letter;
	bool escape; /* an upper-case letter: URL-escaped */
	bool reverse;
	uint32_t parts; /* right-hand parts to keep; 0 = all */
	struct bytes delimiters;
};

/* More parts than any value can have: a larger number means all of them. */
#define PARTS_MAX 65536u

static bool is_delimiter(int c)
{
	switch (c) {
	case '.':
	case '-':
	case '+':
	case ',':
	case '/':
	case '_':
	case '=': return true;
	default: return false;
	}
}

static bool is_letter(int c, enum spf_macro_kind kind)
{
	switch (ascii_lower(c)) {
	case 's':
	case 'l':
	case 'o':
	case 'd':
	case 'i':
	case 'p':
	case 'v':
	case 'h': return true;
	case 'c':
	case 'r':
	case 't': return kind != SPF_MACRO_DOMAIN;
	default: return false;
	}
}

/* "If a DIGIT is specified, the value MUST be nonzero" (§7.3). */
static bool take_parts(struct cursor *in, uint32_t *parts)
{
	*parts = 0;
	if (!ascii_is_digit(cursor_peek(in)))
		return true;
	while (ascii_is_digit(cursor_peek(in))) {
		uint32_t value = *parts * 10 + (uint32_t)(cursor_next(in) - '0');
		*parts = value > PARTS_MAX ? PARTS_MAX : value;
	}
	return *parts != 0;
}

/* What follows "%{", up to and with "}". */
static bool take_macro(struct cursor *in, enum spf_macro_kind kind, struct macro *macro)
{
	int c = cursor_next(in);
	if (c < 0 || !is_letter(c, kind))
		return false;
	macro->letter = (char)ascii_lower(c);
	macro->escape = ascii_is_upper(c);
	if (!take_parts(in, &macro->parts))
		return false;
	macro->reverse = cursor_accept(in, 'r') || cursor_accept(in, 'R');
	macro->delimiters = cursor_take_while(in, is_delimiter);
	return cursor_accept(in, '}');
}

/* toplabel of §7.1: letters, digits and inner hyphens, not digits alone. */
static bool is_toplabel(struct bytes label)
{
	bool digits_only = true;

	if (label.len == 0 || label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-')
			return false;
		if (!ascii_is_digit(label.data[i]))
			digits_only = false;
	}
	return !digits_only;
}

/* `literal` is what stands after the last macro-expand of a domain-spec. */
static bool is_domain_end(struct bytes literal, bool after_macro)
{
	if (literal.len == 0)
		return after_macro;
	if (literal.data[literal.len - 1] == '.')
		literal.len--;
	size_t dot = bytes_rfind(literal, '.');
	return dot != BYTES_NPOS && is_toplabel(bytes_from(literal, dot + 1));
}

bool spf_macro_valid(struct bytes string, enum spf_macro_kind kind)
{
	struct cursor in = cursor_of(string);
	struct bytes literal = string;
	bool after_macro = false;
	struct macro macro;

	for (int c; (c = cursor_next(&in)) >= 0;) {
		if (c != '%') {
			if (!ascii_is_vchar(c) && !(c == ' ' && kind == SPF_MACRO_EXPLAIN))
				return false;
			continue;
		}
		c = cursor_next(&in);
		if (c == '{') {
			if (!take_macro(&in, kind, &macro))
				return false;
		} else if (c != '%' && c != '_' && c != '-') {
			return false;
		}
		literal = cursor_rest(&in);
		after_macro = true;
	}
	return kind != SPF_MACRO_DOMAIN || is_domain_end(literal, after_macro);
}

bool spf_macro_uses_p(struct bytes string)
{
	struct cursor in = cursor_of(string);

	for (int c; (c = cursor_next(&in)) >= 0;) {
		if (c != '%')
			continue;
		if (cursor_next(&in) == '{' && ascii_lower(cursor_peek(&in)) == 'p')
			return true;
	}
	return false;
}

/* %{i}: dotted quad, or the 32 nibbles of an IPv6 address parted by dots. */
static void put_dotted(struct text *out, const struct ip_addr *addr)
{
	static const char hex[] = "0123456789ABCDEF";

	if (ip_addr_is_v4(addr)) {
		char quad[IP_ADDR_TEXT_MAX];
		text_put(out, bytes_of(quad, ip_addr_format(addr, quad)));
		return;
	}
	for (unsigned i = 0; i < 16; i++) {
		if (i > 0)
			text_putc(out, '.');
		text_putc(out, hex[addr->octets[i] >> 4]);
		text_putc(out, '.');
		text_putc(out, hex[addr->octets[i] & 15]);
	}
}

static void put_value(char letter, const struct spf_macro_values *values, struct text *out)
{
	char address[IP_ADDR_TEXT_MAX];

	switch (letter) {
	case 's':
		text_put(out, values->local_part);
		text_putc(out, '@');
		text_put(out, values->sender_domain);
		break;
	case 'l': text_put(out, values->local_part); break;
	case 'o': text_put(out, values->sender_domain); break;
	case 'd': text_put(out, values->domain); break;
	case 'i': put_dotted(out, &values->client); break;
	case 'p': text_put(out, values->validated); break;
	case 'v':
		text_put(out, ip_addr_is_v4(&values->client) ? BYTES("in-addr") : BYTES("ip6"));
		break;
	case 'h': text_put(out, values->helo); break;
	case 'c': text_put(out, bytes_of(address, ip_addr_format(&values->client, address))); break;
	case 'r': text_put(out, values->receiver.len ? values->receiver : BYTES("unknown")); break;
	case 't': text_put_u64(out, values->now_unix_s); break;
	}
}

/* RFC 3986 unreserved characters stand for themselves. */
static void put_escaped(struct text *out, struct bytes value, bool escape)
{
	if (!escape) {
		text_put(out, value);
		return;
	}
	for (size_t i = 0; i < value.len; i++) {
		int c = value.data[i];
		if (ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
			text_putc(out, (char)c);
		else
			text_printf(out, "%%%02X", (unsigned)c);
	}
}

static bool splits(const struct macro *macro, char c)
{
	if (macro->delimiters.len == 0)
		return c == '.';
	return bytes_find(macro->delimiters, c) != BYTES_NPOS;
}

/* The part of `value` that ends before `end`: its first octet. */
static size_t part_start(const struct macro *macro, struct bytes value, size_t end)
{
	while (end > 0 && !splits(macro, (char)value.data[end - 1]))
		end--;
	return end;
}

static size_t part_end(const struct macro *macro, struct bytes value, size_t start)
{
	while (start < value.len && !splits(macro, (char)value.data[start]))
		start++;
	return start;
}

/*
 * Split, reverse, keep the right-hand parts, join by dots. Reversed, the right-hand parts are the
 * leftmost ones of the value, last of them first; so both ways walk the value without a list of
 * parts.
 */
static void put_parts(struct text *out, const struct macro *macro, struct bytes value)
{
	uint32_t left = macro->parts ? macro->parts : PARTS_MAX;

	if (macro->reverse) {
		size_t end = part_end(macro, value, 0);
		while (--left > 0 && end < value.len)
			end = part_end(macro, value, end + 1);
		for (;;) {
			size_t start = part_start(macro, value, end);
			put_escaped(out, bytes_slice(value, start, end - start), macro->escape);
			if (start == 0)
				return;
			text_putc(out, '.');
			end = start - 1;
		}
	}
	size_t start = part_start(macro, value, value.len);
	while (--left > 0 && start > 0)
		start = part_start(macro, value, start - 1);
	for (;;) {
		size_t end = part_end(macro, value, start);
		put_escaped(out, bytes_slice(value, start, end - start), macro->escape);
		if (end == value.len)
			return;
		text_putc(out, '.');
		start = end + 1;
	}
}

/* Room for one macro's value: a local part and a domain as no SMTP command can make them longer. */
#define VALUE_ROOM 1024

static void put_macro(
	struct text *out, const struct macro *macro, const struct spf_macro_values *values)
{
	char room[VALUE_ROOM];
	struct text value;

	text_init(&value, room, sizeof(room));
	put_value(macro->letter, values, &value);
	if (value.overflow)
		out->overflow = true;
	else
		put_parts(out, macro, text_bytes(&value));
}

void spf_macro_expand(struct bytes string, const struct spf_macro_values *values, struct text *out)
{
	struct cursor in = cursor_of(string);
	struct macro macro;

	while (!cursor_done(&in) && !out->overflow) {
		text_put(out, cursor_take_to(&in, '%'));
		if (!cursor_accept(&in, '%'))
			return;
		switch (cursor_next(&in)) {
		case '%': text_putc(out, '%'); break;
		case '_': text_putc(out, ' '); break;
		case '-': text_put(out, BYTES("%20")); break;
		case '{':
			if (!take_macro(&in, SPF_MACRO_EXPLAIN, &macro))
				return;
			put_macro(out, &macro, values);
			break;
		default: return;
		}
	}
}

bool spf_macro_domain(struct bytes spec, const struct spf_macro_values *values, struct text *name)
{
	char room[SPF_MACRO_DOMAIN_ROOM];
	struct text expanded;

	text_init(&expanded, room, sizeof(room));
	spf_macro_expand(spec, values, &expanded);
	if (expanded.overflow)
		return false;
	struct bytes domain = text_bytes(&expanded);
	if (domain.len > 0 && domain.data[domain.len - 1] == '.')
		domain.len--;
	while (domain.len > DNS_NAME_MAX) {
		size_t dot = bytes_find(domain, '.');
		if (dot == BYTES_NPOS)
			return false;
		domain = bytes_from(domain, dot + 1);
	}
	text_put(name, domain);
	return domain.len > 0 && !name->overflow;
}
