#pragma once

#include "base/bytes.h"

/*
 * Canonicalization (RFC 6376 §3.4), in pieces: any division of the input gives the same output.
 * Only CRLF ends a line; a bare CR or LF is an octet like others.
 */

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* --- a header field -------------------------------------------------------------------------- */

typedef void (*dkim_canon_sink_fn)(void *sink, struct bytes piece);

/*
 * `raw` is a field without its last CRLF; the octets of `cut` (a part of `raw`, or empty) are left
 * out. The CRLF is the caller's to add.
 */
void dkim_canon_field(enum dkim_canon canon, struct bytes raw, struct bytes cut,
	dkim_canon_sink_fn give, void *sink);

/* --- a body ---------------------------------------------------------------------------------- */

struct dkim_canon_body {
	enum dkim_canon canon;
	bool cr;  /* a CR is held back: the octet after it decides */
	bool wsp; /* relaxed: a run of blanks is held back */
	bool any; /* something was given */
	bool ended;
	uint64_t crlfs; /* line ends held back: they count only if more follows */
};

/* A step writes at most so much. */
#define DKIM_CANON_SCRATCH_MIN 64

void dkim_canon_body_init(struct dkim_canon_body *body, enum dkim_canon canon);
/*
 * Takes from the front of *input and gives a piece of canonical output, lying in `scratch` (of
 * `capacity` octets, at least DKIM_CANON_SCRATCH_MIN), in the input, or in memory of its own.
 * false: the input is used up.
 */
bool dkim_canon_body_step(struct dkim_canon_body *body, struct bytes *input, uint8_t *scratch,
	size_t capacity, struct bytes *piece);
/* After the last input: what ends the body. Call until false. */
bool dkim_canon_body_end(
	struct dkim_canon_body *body, uint8_t *scratch, size_t capacity, struct bytes *piece);

/*
 * Relaxed, by vectors where the CPU has them: takes input while `out` has room, returns the octets
 * written. dkim_canon_relaxed_plain() is the same octet by octet: what defines it, and what it is
 * tested and measured against.
 */
size_t dkim_canon_relaxed(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity);
size_t dkim_canon_relaxed_plain(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity);
