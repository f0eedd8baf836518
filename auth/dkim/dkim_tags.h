#pragma once

#include "base/bytes.h"

/*
 * Tag=value lists (RFC 6376 §3.2), as in DKIM and ARC fields and key records. Octets above 127 are
 * taken as they are (RFC 8616). Nothing is copied.
 */

#define DKIM_TAGS_MAX 48

struct dkim_tag {
	struct bytes name;
	struct bytes value; /* without blanks and folding at both ends */
	struct bytes raw;   /* all between "=" and ";" */
};

struct dkim_tags {
	unsigned n;
	struct dkim_tag tag[DKIM_TAGS_MAX];
};

enum dkim_tags_error {
	DKIM_TAGS_OK,
	DKIM_TAGS_SYNTAX,
	DKIM_TAGS_DUPLICATE, /* makes the whole list invalid */
	DKIM_TAGS_TOO_MANY,
};

enum dkim_tags_error dkim_tags_parse(struct bytes list, struct dkim_tags *tags);
/* NULL where there is none; names are case-sensitive. */
const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, const char *name);

/* Steps over blanks and folding. */
void dkim_tags_skip_fws(struct cursor *c);

/*
 * Base64 with folding anywhere in it (RFC 6376 §2.10). Padding must be right. false also where it
 * is longer than `capacity`.
 */
bool dkim_tags_base64(struct bytes text, uint8_t *out, size_t capacity, size_t *len);

/* The next item of a list parted by colons, without blanks; items may be empty. */
bool dkim_tags_next_item(struct bytes *rest, struct bytes *item);
/* Whether such a list holds `word`. */
bool dkim_tags_has_item(struct bytes list, struct bytes word);
