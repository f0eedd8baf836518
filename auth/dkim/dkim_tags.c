#include "auth/dkim/dkim_tags.h"

enum {
	NAME = 1 << 0,  /* of a tag's name */
	VALUE = 1 << 1, /* VALCHAR and FWS, widened by what RFC 8616 lets into values */
	FWS = 1 << 2,
};

/* All but ";" is of a value, and controls are of nothing. */
static const uint8_t class_of[256] = {
	['\t'] = FWS | VALUE,
	['\n'] = FWS | VALUE,
	['\r'] = FWS | VALUE,
	[' '] = FWS | VALUE,
	['!' ... '/'] = VALUE,
	['0' ... '9'] = NAME | VALUE,
	[':'] = VALUE,
	['<' ... '@'] = VALUE,
	['A' ... 'Z'] = NAME | VALUE,
	['[' ... '^'] = VALUE,
	['_'] = NAME | VALUE,
	['`'] = VALUE,
	['a' ... 'z'] = NAME | VALUE,
	['{' ... '~'] = VALUE,
	[0x80 ... 0xff] = VALUE,
};

static bool is_fws(int c)
{
	return class_of[c] & FWS;
}

static bool is_name_octet(int c)
{
	return class_of[c] & NAME;
}

static bool is_value_octet(int c)
{
	return class_of[c] & VALUE;
}

void dkim_tags_skip_fws(struct cursor *c)
{
	while (!cursor_done(c) && is_fws(*c->at))
		c->at++;
}

static const struct dkim_tag *find(const struct dkim_tags *tags, struct bytes name)
{
	/* Nearly all names are of one letter: it decides. None is empty. */
	for (unsigned i = 0; i < tags->n; i++)
		if (tags->tag[i].name.data[0] == name.data[0] && bytes_eq(tags->tag[i].name, name))
			return &tags->tag[i];
	return NULL;
}

const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, const char *name)
{
	return find(tags, bytes_str(name));
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
		if (find(tags, tag.name))
			return DKIM_TAGS_DUPLICATE;
		if (tags->n == DKIM_TAGS_MAX)
			return DKIM_TAGS_TOO_MANY;
		tags->tag[tags->n++] = tag;
		dkim_tags_skip_fws(&c); /* a last ";" ends the list */
	} while (!cursor_done(&c));
	return DKIM_TAGS_OK;
}

/* What an octet means in Base64; 0: it does not belong there. */
#define DIGIT   0x40 /* and its value */
#define PADDING 0x80
#define BLANK   0xc0

static const uint8_t base64_class[256] = {
#define D(c, n)  [c] = DIGIT | (n), [c + 1] = DIGIT | ((n) + 1)
#define D8(c, n) D(c, n), D(c + 2, (n) + 2), D(c + 4, (n) + 4), D(c + 6, (n) + 6)
	D8('A', 0),
	D8('I', 8),
	D8('Q', 16),
	D('Y', 24),
	D8('a', 26),
	D8('i', 34),
	D8('q', 42),
	D('y', 50),
	D8('0', 52),
	D('8', 60),
	['+'] = DIGIT | 62,
	['/'] = DIGIT | 63,
#undef D8
#undef D
	['='] = PADDING,
	[' '] = BLANK,
	['\t'] = BLANK,
	['\r'] = BLANK,
	['\n'] = BLANK,
};

/* How many groups of four digits stand side by side at the front, as nearly all do; decoded. */
static size_t whole_groups(struct bytes text, uint8_t *out, size_t capacity)
{
	size_t most = text.len / 4 < capacity / 3 ? text.len / 4 : capacity / 3, n;

	for (n = 0; n < most; n++, out += 3) {
		const uint8_t *at = text.data + 4 * n;
		uint8_t a = base64_class[at[0]], b = base64_class[at[1]], c = base64_class[at[2]],
			d = base64_class[at[3]];
		if (!(a & b & c & d & DIGIT) || ((a | b | c | d) & PADDING))
			break;
		uint32_t bits =
			(a & 0x3fu) << 18 | (b & 0x3fu) << 12 | (c & 0x3fu) << 6 | (d & 0x3fu);
		out[0] = (uint8_t)(bits >> 16);
		out[1] = (uint8_t)(bits >> 8);
		out[2] = (uint8_t)bits;
	}
	return n;
}

bool dkim_tags_base64(struct bytes text, uint8_t *out, size_t capacity, size_t *len)
{
	uint32_t bits = 0;
	unsigned digits = 0, padding = 0;

	*len = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (digits % 4 == 0 && padding == 0) {
			size_t n = whole_groups(bytes_from(text, i), out + *len, capacity - *len);
			*len += 3 * n;
			i += 4 * n;
			if (i == text.len)
				break;
		}
		uint8_t class = base64_class[text.data[i]];
		if (class == BLANK)
			continue;
		if (class == PADDING)
			padding++;
		else if (!class || padding)
			return false;
		bits = bits << 6 | (class & 0x3f);
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
