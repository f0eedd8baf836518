#include "gateway/smtp/smtp_path.h"

#include "base/ip_addr.h"

/* atext of RFC 5321 §4.1.2 (by RFC 5322 §3.2.3). */
static bool is_atext(int c)
{
	return ascii_is_alnum(c) || (c > 0 && c < 0x7f && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Dot-string: atoms parted by single dots. */
static bool take_dot_string(struct cursor *c)
{
	do {
		if (cursor_take_while(c, is_atext).len == 0)
			return false;
	} while (cursor_accept(c, '.'));
	return true;
}

/* Quoted-string: qtextSMTP or quoted-pairSMTP, both printable ASCII and blank. */
static bool take_quoted_string(struct cursor *c)
{
	if (!cursor_accept(c, '"'))
		return false;
	while (!cursor_accept(c, '"')) {
		int octet = cursor_next(c);

		if (octet == '\\')
			octet = cursor_next(c);
		if (octet < 0x20 || octet > 0x7e)
			return false;
	}
	return true;
}

static bool is_label_octet(int c)
{
	/* The underscore is in no grammar and in many real names. */
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool take_label(struct cursor *c)
{
	struct bytes label = cursor_take_while(c, is_label_octet);

	return label.len > 0 && label.len <= 63 && label.data[0] != '-' &&
	       label.data[label.len - 1] != '-';
}

static bool take_domain_name(struct cursor *c)
{
	do {
		if (!take_label(c))
			return false;
	} while (cursor_accept(c, '.'));
	return true;
}

static bool is_literal_octet(int c)
{
	return c > 0x20 && c < 0x7f && c != '[' && c != ']' && c != '\\';
}

static bool take_literal(struct cursor *c)
{
	const uint8_t *start = c->at;

	if (!cursor_accept(c, '['))
		return false;
	cursor_take_while(c, is_literal_octet);
	if (!cursor_accept(c, ']'))
		return false;
	return smtp_literal_valid(bytes_of(start, (size_t)(c->at - start)));
}

static bool take_mailbox(struct cursor *c, struct smtp_path *path)
{
	const uint8_t *start = c->at;

	if (!(cursor_peek(c) == '"' ? take_quoted_string(c) : take_dot_string(c)))
		return false;
	path->local = bytes_of(start, (size_t)(c->at - start));
	if (path->local.len > SMTP_LOCAL_MAX || !cursor_accept(c, '@'))
		return false;

	const uint8_t *domain = c->at;

	path->is_literal = cursor_peek(c) == '[';
	if (!(path->is_literal ? take_literal(c) : take_domain_name(c)))
		return false;
	path->domain = bytes_of(domain, (size_t)(c->at - domain));
	path->address = bytes_of(start, (size_t)(c->at - start));
	return path->domain.len <= SMTP_DOMAIN_MAX && path->address.len <= SMTP_PATH_MAX - 2;
}

/* A-d-l: "@a,@b:" is accepted and ignored (RFC 5321 §4.1.1.3, appendix C). */
static bool skip_source_route(struct cursor *c)
{
	if (cursor_peek(c) != '@')
		return true;
	do {
		if (!cursor_accept(c, '@') || !take_domain_name(c))
			return false;
	} while (cursor_accept(c, ','));
	return cursor_accept(c, ':');
}

static bool take_path(struct cursor *c, bool null_ok, bool postmaster_ok, struct smtp_path *path)
{
	*path = (struct smtp_path){0};
	cursor_skip_wsp(c);
	if (!cursor_accept(c, '<'))
		return false;
	if (null_ok && cursor_accept(c, '>')) {
		path->address = BYTES("");
		return true;
	}
	if (postmaster_ok) {
		struct cursor ahead = *c;

		if (cursor_accept_nocase(&ahead, BYTES("postmaster>"))) {
			path->address = path->local = bytes_of(c->at, sizeof("postmaster") - 1);
			*c = ahead;
			return true;
		}
	}
	return skip_source_route(c) && take_mailbox(c, path) && cursor_accept(c, '>');
}

bool smtp_path_parse(struct bytes *rest, bool null_ok, bool postmaster_ok, struct smtp_path *path)
{
	struct cursor c = cursor_of(*rest);

	if (!take_path(&c, null_ok, postmaster_ok, path))
		return false;
	*rest = cursor_rest(&c);
	return rest->len == 0 || ascii_is_wsp(rest->data[0]);
}

bool smtp_mailbox_parse(struct bytes text, struct smtp_path *path)
{
	struct cursor c = cursor_of(text);

	*path = (struct smtp_path){0};
	return take_mailbox(&c, path) && cursor_done(&c);
}

bool smtp_domain_valid(struct bytes domain)
{
	struct cursor c = cursor_of(domain);

	if (domain.len > SMTP_DOMAIN_MAX)
		return false;
	return (cursor_peek(&c) == '[' ? take_literal(&c) : take_domain_name(&c)) &&
	       cursor_done(&c);
}

/* General-address-literal (RFC 5321 §4.1.3): no tag but IPv6 was ever registered. */
bool smtp_literal_valid(struct bytes literal)
{
	struct bytes inside = bytes_slice(literal, 1, literal.len >= 2 ? literal.len - 2 : 0);
	struct ip_addr addr;

	if (bytes_starts_nocase(inside, BYTES("IPv6:")))
		return ip_addr_parse_v6(bytes_from(inside, 5), &addr) == 0;
	return ip_addr_parse_v4(inside, &addr) == 0;
}
