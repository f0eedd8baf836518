#pragma once

#include "base/bytes.h"

/*
 * Comments and folding white space (RFC 5322 §3.2.2), in any field that has them. CRLF before a
 * blank is folding; any other CR, LF or control octet is nothing to be read.
 */

/* Over one fold; false where there is none. */
bool cfws_skip_fold(struct cursor *c);
/* Over all there is; false where a comment does not end, or nests too deep. */
bool cfws_skip(struct cursor *c);
