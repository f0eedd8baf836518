#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The header section, split into fields as it arrives (RFC 5322 §2.2). Bytes go in in any portions; a
 * field comes out when the line after it has begun, since only then it cannot be folded further.
 */

/* A complete field: raw octets as received, with folding, without the CRLF that ends it. */
struct field {
	struct bytes raw;
	struct bytes name;  /* without the blanks before the colon */
	struct bytes value; /* after the colon, folding and leading blanks kept */
	bool well_formed;   /* name is field-name and nothing stands between it and the colon */
};

enum fields_event {
	FIELDS_MORE,	  /* all input taken; give more */
	FIELDS_FIELD,	  /* *field is complete */
	FIELDS_END,	  /* the empty line has been taken: the body begins at the rest of the input */
	FIELDS_BODY,	  /* a line that is no field: the body begins at it (it is in the buffer: see fields_tail) */
	FIELDS_TOO_LARGE, /* over the capacity of the buffer */
};

/* `buffer` holds the whole header section; fields point into it. */
struct fields {
	uint8_t *buffer;
	uint32_t capacity, len;
	uint32_t field_start; /* of the field being gathered */
	uint32_t scan;	      /* looked at up to here */
	uint32_t line_start;
	bool ended;
};

void fields_init(struct fields *fields, uint8_t *buffer, uint32_t capacity);
/* Takes bytes from the front of *input; call until FIELDS_MORE or an end. */
enum fields_event fields_feed(struct fields *fields, struct bytes *input, struct field *field);
/* No more input will come (a message without a body). FIELDS_FIELD, then FIELDS_END or FIELDS_BODY. */
enum fields_event fields_finish(struct fields *fields, struct field *field);
/* After FIELDS_BODY: octets already in the buffer that belong to the body. */
struct bytes fields_tail(const struct fields *fields);
/* All header octets so far, the empty line not among them. */
struct bytes fields_section(const struct fields *fields);
