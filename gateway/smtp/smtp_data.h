#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The DATA automaton: finds the end mark, removes dot-stuffing (RFC 5321 §4.5.2) and judges line
 * ends and NUL. Only CRLF.CRLF ends the data (DESIGN §7).
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
	uint8_t odd;     /* how much of an odd end mark the last octets are */
	uint16_t flaws;  /* enum smtp_data_flaw, ever seen */
	uint16_t first_flaw;
	uint64_t octets;        /* of content given out */
	uint64_t first_flaw_at; /* octet number (from 1) of the first bare CR, LF or NUL */
};

void smtp_data_init(struct smtp_data *data);

/*
 * Take octets from *input. True: *content is a run of content (it points into the input, or at a CR
 * held back from an earlier portion); call again. False: *input is empty, or the end mark has been
 * taken (smtp_data_ended()) and *input holds what follows it.
 */
bool smtp_data_feed(struct smtp_data *data, struct bytes *input, struct bytes *content);
bool smtp_data_ended(const struct smtp_data *data);
/* The last octets are what other servers take for an end mark (LF.LF, CRLF.LF, ...), and it is
 * none. */
bool smtp_data_odd_end(const struct smtp_data *data);
