#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The DATA automaton: finds the end mark, removes dot-stuffing (RFC 5321 §4.5.2) and judges line ends and NUL.
 * Only CRLF.CRLF ends the data (DESIGN §7).
 */

enum smtp_data_flaw {
	SMTP_DATA_BARE_CR = 1 << 0,
	SMTP_DATA_BARE_LF = 1 << 1,
	SMTP_DATA_NUL = 1 << 2,
	SMTP_DATA_IN_HEADER = 1 << 3, /* one of them stood in the header section */
	SMTP_DATA_8BIT = 1 << 4,      /* not a flaw: octets above 127 */
};

struct smtp_data {
	uint8_t state;
	bool in_header;
	bool line_empty; /* nothing on this line yet */
	uint16_t flaws;	 /* enum smtp_data_flaw, ever seen */
	uint64_t octets; /* of content given out */
	uint64_t first_flaw_at; /* octet number (from 1) of the first bare CR, LF or NUL */
	uint16_t first_flaw;
	bool odd_end; /* something that other servers take for an end mark has been seen */
};

void smtp_data_init(struct smtp_data *data);

/*
 * Take octets from *input. Gives a run of content in *content (it points into the input, or at a static CR or
 * CRLF held back from an earlier portion) and returns true while there may be more to get from *input; false
 * when *input is empty or the end mark has been taken (then smtp_data_ended()).
 */
bool smtp_data_feed(struct smtp_data *data, struct bytes *input, struct bytes *content);
bool smtp_data_ended(const struct smtp_data *data);
