#include "auth/dkim/dkim_tags.h"

static bool is_fws(int c)
{
	return ascii_is_wsp(c) || c == '\r' || c == '\n';
}

static bool is_name_octet(int c)
{
	return ascii_is_alnum(c) || c == '_';
}

/* VALCHAR, widened by what RFC 8616 lets into values. */
static bool is_value_octet(int c)
{
	return (ascii_is_vchar(c) && c != ';') || c >= 0x80 || is_fws(c);
}

void dkim_tags_skip_fws(struct cursor *c)
{
	while (!cursor_done(c) && is_fws(*c->at))
		c->at++;
}

const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, const char *name)
{
	struct bytes wanted = bytes_str(name);
	for (unsigned i = 0; i < tags->n; i++)
		if (bytes_eq(tags->tag[i].name, wanted))
			return &tags->tag[i];
	return NULL;
}

static bool is_known(const struct dkim_tags *tags, struct bytes name)
{
	for (unsigned i = 0; i < tags->n; i++)
		if (bytes_eq(tags->tag[i].name, name))
			return true;
	return false;
}

static bool take_tag(struct cursor *c, struct dkim_tag *tag)
{
	dkim_tags_skip_fws(c);
	tag->name = cursor_take_while(c, is_name_octet);
	if (tag->name.len == 0 || !ascii_is_alpha(tag->name.data[0]))
		return false;
	dkim_tags_skip_fws(c);
	if (!cursor_accept(c, '='))
		return false;
	tag->raw = cursor_take_while(c, is_value_octet);
	tag->value = bytes_trim_fws(tag->raw);
	return cursor_done(c) || cursor_accept(c, ';');
}

enum dkim_tags_error dkim_tags_parse(struct bytes list, struct dkim_tags *tags)
{
	struct cursor c = cursor_of(list);

	tags->n = 0;
	do {
		struct dkim_tag tag;
		if (!take_tag(&c, &tag))
			return DKIM_TAGS_SYNTAX;
		if (is_known(tags, tag.name))
			return DKIM_TAGS_DUPLICATE;
		if (tags->n == DKIM_TAGS_MAX)
			return DKIM_TAGS_TOO_MANY;
		tags->tag[tags->n++] = tag;
		dkim_tags_skip_fws(&c); /* a last ";" ends the list */
	} while (!cursor_done(&c));
	return DKIM_TAGS_OK;
}

static int base64_value(int c)
{
	if (ascii_is_upper(c))
		return c - 'A';
	if (ascii_is_lower(c))
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dkim_tags_base64(struct bytes text, uint8_t *out, size_t capacity, size_t *len)
{
	uint32_t bits = 0;
	unsigned digits = 0, padding = 0;

	*len = 0;
	for (size_t i = 0; i < text.len; i++) {
		int c = text.data[i];
		if (is_fws(c))
			continue;
		int value = base64_value(c);
		if (c == '=')
			padding++;
		else if (value < 0 || padding)
			return false;
		bits = bits << 6 | (uint32_t)(value & 0x3f) * (c != '=');
		if (++digits % 4)
			continue;
		if (padding > 2 || *len + 3 - padding > capacity)
			return false;
		for (unsigned k = 0; k < 3 - padding; k++)
			out[(*len)++] = (uint8_t)(bits >> (16 - 8 * k));
		bits = 0;
	}
	return digits % 4 == 0;
}

bool dkim_tags_next_item(struct bytes *rest, struct bytes *item)
{
	if (!bytes_split(rest, ':', item))
		return false;
	*item = bytes_trim_fws(*item);
	return true;
}

bool dkim_tags_has_item(struct bytes list, struct bytes word)
{
	for (struct bytes item; dkim_tags_next_item(&list, &item);)
		if (bytes_eq(item, word))
			return true;
	return false;
}
