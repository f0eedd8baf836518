#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A message as a file holds it, made into content as SMTP carries it: lines end in CRLF. Fed in any
 * portions.
 */
struct verify_input {
	bool convert;        /* a bare LF becomes CRLF; otherwise it is an error */
	bool after_cr;       /* the last octet was CR */
	uint64_t octet;      /* read so far */
	uint64_t bare_lf_at; /* the octet of the first bare LF that is an error, counted from 1; 0:
				none */
};

/* `out` has room for two octets for each of `raw`. Returns what was written. */
size_t verify_input_feed(struct verify_input *input, struct bytes raw, uint8_t *out);
