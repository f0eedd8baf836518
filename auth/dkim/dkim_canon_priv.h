#pragma once

#include "auth/dkim/dkim_canon.h"

/* Relaxed: takes input while `out` has room, returns the octets written. */
size_t dkim_canon_relaxed(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity);
/* The same, octet by octet. */
size_t dkim_canon_relaxed_plain(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity);
