#pragma once

#include "base/bytes.h"

#include <stdbool.h>

/* What whole lines were seen to hold. */
struct smtp_data_lines {
	bool empty;     /* one of them is */
	bool eight_bit; /* octets above 127 */
};

/*
 * How many octets at the front of `in` are lines that need no thought: text, CRLF at the end, no
 * dot at the start, no bare CR or LF, no NUL. `at_start`: `in` begins a line; else the first of
 * them is the rest of one. It may stop early, the last octets in any case; the plain automaton goes
 * on there.
 */
size_t smtp_data_lines(struct bytes in, bool at_start, struct smtp_data_lines *seen);
