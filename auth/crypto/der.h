#pragma once

#include "base/bytes.h"

#include <stdbool.h>

/* Strict reading of the few DER forms that public keys are made of (X.690 §10, §8). */

enum der_tag {
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
};

/* Takes one element of that tag off the front: definite, shortest length. */
bool der_take(struct cursor *in, enum der_tag tag, struct bytes *content);
/* A positive INTEGER in its shortest form; `magnitude` without the sign octet. */
bool der_take_positive(struct cursor *in, struct bytes *magnitude);
