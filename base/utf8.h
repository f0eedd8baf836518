/* UTF-8 (RFC 3629). */
#pragma once

#include "base/bytes.h"

/*
 * Octets of the sequence at the front of `b`, which is not empty, that stands for one character
 * beyond ASCII; 0 where there is none: ASCII, overlong forms, surrogates, what is cut off.
 */
size_t utf8_len(struct bytes b);
