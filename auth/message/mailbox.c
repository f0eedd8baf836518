#include "auth/message/mailbox.h"

#include "auth/message/cfws.h"
#include "base/arena.h"

#include <idn2.h>

#define ADDRESSES_MAX  256
#define DOMAIN_RAW_MAX 1024 /* octets of a domain before U-labels are turned into A-labels */
#define DOMAIN_MAX     253

enum token { END, BAD, WORD, QUOTED, LITERAL, DOT, AT, LT, GT, COMMA, SEMICOLON, COLON };

struct parser {
	struct cursor c;
	struct bytes word; /* of the last WORD */
	struct arena *arena;
	struct mailbox_domains *out;
	bool in_group, literal_seen, too_many;
};

/* Takes up to the closing octet; the opening one is taken already. */
static bool skip_delimited(struct cursor *c, int close)
{
	for (;;) {
		int octet = cursor_peek(c);

		if (octet == '\r') {
			if (!cfws_skip_fold(c))
				return false;
			continue;
		}
		c->at += octet >= 0;
		if (octet == close)
			return true;
		if (octet == '\\')
			octet = cursor_next(c);
		if (octet < 0 || (ascii_is_ctl(octet) && octet != '\t'))
			return false;
	}
}

/* atext (RFC 5322 §3.2.3) with RFC 6532, and in display names whatever octets above 127 there are.
 */
static bool is_atext(int c)
{
	return c >= 0x80 || (ascii_is_vchar(c) && !strchr("()<>[]:;@\\,.\"", c));
}

static bool is_charset(int c)
{
	return is_atext(c) && c != '?';
}

/*
 * An encoded word (RFC 2047) is one word whatever it holds, as a client shows it; but where
 * it holds what makes an address, clients differ, and so it is read octet by octet.
 */
static bool take_encoded_word(struct cursor *c)
{
	struct cursor ahead = *c;
	struct bytes text;
	size_t end;

	if (!cursor_accept_bytes(&ahead, BYTES("=?")))
		return false;
	cursor_take_while(&ahead, is_charset);
	if (!cursor_accept(&ahead, '?') || !ascii_is_alpha(cursor_next(&ahead)) ||
		!cursor_accept(&ahead, '?'))
		return false;
	end = bytes_find_bytes(cursor_rest(&ahead), BYTES("?="));
	if (end == BYTES_NPOS || !cursor_take(&ahead, end, &text))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || strchr("<>@\"\x7f", text.data[i]))
			return false;
	}
	c->at = ahead.at + 2;
	return true;
}

static enum token next_token(struct parser *p)
{
	static const struct {
		char octet;
		enum token token;
	} singles[] = {{'.', DOT}, {'@', AT}, {'<', LT}, {'>', GT}, {',', COMMA}, {';', SEMICOLON},
		{':', COLON}};
	const uint8_t *start;

	if (!cfws_skip(&p->c))
		return BAD;
	if (cursor_done(&p->c))
		return END;
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
		if (cursor_accept(&p->c, singles[i].octet))
			return singles[i].token;
	}
	if (cursor_accept(&p->c, '"'))
		return skip_delimited(&p->c, '"') ? QUOTED : BAD;
	if (cursor_accept(&p->c, '['))
		return skip_delimited(&p->c, ']') ? LITERAL : BAD;
	start = p->c.at;
	if (!take_encoded_word(&p->c))
		cursor_take_while(&p->c, is_atext);
	p->word = bytes_of(start, (size_t)(p->c.at - start));
	return p->word.len > 0 ? WORD : BAD;
}

/* An addr-spec as its tokens come, or the phrase that it turns out to be. */
struct addr {
	bool local;   /* something stands before the @ */
	bool at;      /* the @ was met */
	bool atom;    /* in the domain: the last token was an atom, only a dot may follow */
	bool literal; /* the domain is a literal */
	bool broken;  /* no addr-spec, whatever follows */
	struct text domain;
	char data[DOMAIN_RAW_MAX];
};

static void addr_init(struct addr *a)
{
	a->local = a->at = a->atom = a->literal = a->broken = false;
	text_init(&a->domain, a->data, sizeof(a->data));
}

static void addr_feed_local(struct addr *a, enum token token)
{
	if (token == WORD || token == QUOTED)
		a->local = true;
	else if (token == LITERAL)
		a->broken = true;
	else if (token == AT)
		a->at = true;
}

static void addr_feed_domain(struct addr *a, enum token token, struct bytes word)
{
	bool expected = (token == DOT && a->atom && !a->literal) || (token == WORD && !a->atom) ||
			(token == LITERAL && a->domain.len == 0 && !a->literal);

	if (!expected) {
		a->broken = true;
		return;
	}
	a->atom = token != DOT;
	a->literal = a->literal || token == LITERAL;
	if (token == DOT)
		text_putc(&a->domain, '.');
	else if (token == WORD)
		text_put(&a->domain, word);
}

static void addr_feed(struct addr *a, enum token token, struct bytes word)
{
	if (a->at)
		addr_feed_domain(a, token, word);
	else
		addr_feed_local(a, token);
}

static bool add_domain(struct parser *p, struct bytes raw)
{
	struct mailbox_domains *out = p->out;
	struct bytes domain;

	if (!mailbox_domain_to_ascii(raw, p->arena, &domain))
		return false;
	for (unsigned i = 0; i < out->n; i++) {
		if (bytes_eq(out->domain[i], domain))
			return true;
	}
	/* The text may lie on our stack still. */
	if (domain.data == raw.data)
		domain = arena_dup(p->arena, domain);
	if (out->n == MAILBOX_MAX_DOMAINS || !domain.data) {
		p->too_many = true;
		return true;
	}
	out->domain[out->n++] = domain;
	return true;
}

/* An element that holds no @ names no domain; one that does must be an addr-spec. */
static bool addr_end(struct parser *p, const struct addr *a)
{
	if (!a->at)
		return true;
	if (a->broken || !a->local || a->domain.overflow || (a->domain.len == 0 && !a->literal))
		return false;
	if (++p->out->n_addresses > ADDRESSES_MAX) {
		p->too_many = true;
		return true;
	}
	if (a->literal) {
		p->literal_seen = true;
		return true;
	}
	return add_domain(p, text_bytes(&a->domain));
}

/* The route before the addr-spec (RFC 5322 §4.4) says nothing of the author. */
static bool skip_route(struct parser *p)
{
	enum token token;

	do {
		token = next_token(p);
	} while (
		token == AT || token == WORD || token == DOT || token == COMMA || token == LITERAL);
	return token == COLON;
}

/* Behind the '<', through the '>'. */
static bool parse_angle(struct parser *p)
{
	enum token token = next_token(p);
	struct addr a;

	addr_init(&a);
	if (token == AT) {
		if (!skip_route(p))
			return false;
		token = next_token(p);
	}
	for (; token != GT; token = next_token(p)) {
		if (token != WORD && token != QUOTED && token != LITERAL && token != DOT &&
			token != AT)
			return false;
		addr_feed(&a, token, p->word);
	}
	return addr_end(p, &a);
}

static bool is_separator(enum token token)
{
	return token == COMMA || token == SEMICOLON || token == END;
}

/*
 * One element of the list with what ends it. Before a '<' everything is display name, an @ too:
 * that is what clients show and never where they reply to.
 */
static bool parse_element(struct parser *p, enum token *ended_by)
{
	struct addr a;
	enum token token;

	addr_init(&a);
	for (;;) {
		token = next_token(p);
		if (token == LT) {
			if (!parse_angle(p))
				return false;
			*ended_by = next_token(p);
			return is_separator(*ended_by);
		}
		if (is_separator(token))
			break;
		if (token == COLON) {
			/* A group's name; groups do not nest. */
			if (p->in_group || a.at || !a.local)
				return false;
			p->in_group = true;
			addr_init(&a);
			continue;
		}
		if (token == GT || token == BAD)
			return false;
		addr_feed(&a, token, p->word);
	}
	*ended_by = token;
	return addr_end(p, &a);
}

enum mailbox_status mailbox_domains_parse(
	struct bytes field_value, struct arena *arena, struct mailbox_domains *out)
{
	struct parser p = {.c = cursor_of(field_value), .arena = arena, .out = out};
	enum token ended_by = COMMA;

	out->n = out->n_addresses = 0;
	while (ended_by != END && !p.too_many) {
		if (!parse_element(&p, &ended_by))
			return MAILBOX_MALFORMED;
		if (ended_by == SEMICOLON)
			p.in_group = false;
	}
	if (p.too_many)
		return MAILBOX_TOO_MANY;
	if (p.literal_seen && out->n > 0)
		return MAILBOX_MALFORMED;
	return out->n > 0 ? MAILBOX_OK : MAILBOX_NONE;
}

/* What all can agree on as a host or mail domain: LDH and the underscore that some use. */
static bool is_ascii_domain(struct bytes domain)
{
	struct bytes label;

	if (domain.len == 0 || domain.len > DOMAIN_MAX)
		return false;
	while (bytes_split(&domain, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++) {
			if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-' &&
				label.data[i] != '_')
				return false;
		}
	}
	return true;
}

static bool has_class(struct bytes b, bool (*of_class)(int c))
{
	for (size_t i = 0; i < b.len; i++) {
		if (of_class(b.data[i]))
			return true;
	}
	return false;
}

static bool is_not_ascii(int c)
{
	return c >= 0x80;
}

static bool is_nul(int c)
{
	return c == 0;
}

/* UTS 46, non-transitional, by libidn2, which allocates: for U-labels only. */
static bool u_labels_to_ascii(struct bytes domain, struct arena *arena, struct bytes *out)
{
	char text[DOMAIN_RAW_MAX];
	uint8_t *ascii = NULL;
	struct bytes name, copy = {0};

	if (domain.len >= sizeof(text) || has_class(domain, is_nul))
		return false;
	memcpy(text, domain.data, domain.len);
	text[domain.len] = '\0';
	if (idn2_lookup_u8((const uint8_t *)text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
		IDN2_OK)
		return false;
	name = bytes_str((const char *)ascii);
	if (name.len > 1 && name.data[name.len - 1] == '.')
		name.len--;
	if (is_ascii_domain(name))
		copy = arena_dup(arena, name);
	idn2_free(ascii);
	if (!copy.data)
		return false;
	*out = copy;
	return true;
}

bool mailbox_domain_to_ascii(struct bytes domain, struct arena *arena, struct bytes *out)
{
	uint8_t *lower;

	if (has_class(domain, is_not_ascii))
		return u_labels_to_ascii(domain, arena, out);
	if (domain.len > 1 && domain.data[domain.len - 1] == '.')
		domain.len--;
	if (!is_ascii_domain(domain))
		return false;
	if (!has_class(domain, (bool (*)(int))ascii_is_upper)) {
		*out = domain;
		return true;
	}
	lower = arena_alloc(arena, domain.len, 1);
	if (!lower)
		return false;
	for (size_t i = 0; i < domain.len; i++)
		lower[i] = (uint8_t)ascii_lower(domain.data[i]);
	*out = bytes_of(lower, domain.len);
	return true;
}
