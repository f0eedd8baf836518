#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The header section, split into fields as it arrives (RFC 5322 §2.2). Bytes go in in any portions;
 * a field comes out when the line after it has begun, since only then it cannot be folded further.
 *
 * The section ends at the first empty line and nowhere else: mail stores and clients read on over
 * lines that are no fields, so whoever stopped there would not see the From that they show. Such a
 * line comes out as a field that is not well formed, its name the line without its blanks.
 */

/* A complete field: raw octets as received, with folding, without the CRLF that ends it. */
struct field {
	struct bytes raw;
	struct bytes name;  /* of the first line: up to the colon, or all of it; without blanks at
			       its ends */
	struct bytes value; /* after the colon, folding and leading blanks kept */
	bool well_formed;   /* name is field-name and nothing stands between it and the colon */
};

enum fields_event {
	FIELDS_MORE,  /* all input taken; give more */
	FIELDS_FIELD, /* *field is complete */
	FIELDS_END,   /* the empty line has been taken: the body begins at the rest of the input */
	FIELDS_TOO_LARGE, /* over the capacity of the buffer; so it stays */
};

/* `buffer` holds the whole header section; fields point into it. */
struct fields {
	uint8_t *buffer;
	uint32_t capacity, len;
	uint32_t field_start; /* of the field being gathered */
	uint32_t line_start;  /* of the line being gathered */
	bool ended, too_large;
};

void fields_init(struct fields *fields, uint8_t *buffer, uint32_t capacity);
/*
 * Takes bytes from the front of *input; call until FIELDS_MORE or an end. Only CRLF ends a line; a
 * bare CR or LF is an octet like others (to refuse it is the business of SMTP).
 */
enum fields_event fields_feed(struct fields *fields, struct bytes *input, struct field *field);
/* No more input will come (a message without a body). FIELDS_FIELD, then FIELDS_END. */
enum fields_event fields_finish(struct fields *fields, struct field *field);
/* All header octets so far, the empty line not among them. */
struct bytes fields_section(const struct fields *fields);
/* One field from its raw octets, as fields_feed() would give it. */
void field_from_raw(struct field *field, struct bytes raw);
/*
 * Whether a lenient reader may take it for a field of this name, and so whoever is shown the mail:
 * octets of its name that are no graphic ASCII (controls, a byte order mark, blanks of other
 * alphabets) count for nothing, and a bare CR, LF or NUL begins a line.
 */
bool field_resembles(const struct field *field, struct bytes name);
/* Whether it has this name, in any case, well formed or not. */
static inline bool field_is(const struct field *field, struct bytes name)
{
	return bytes_eq_nocase(field->name, name);
}
