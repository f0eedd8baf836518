/* Strings of JSON (RFC 8259 §7), for those who write it octet by octet. */
#pragma once

#include "base/bytes.h"

/* With its quotes; octets that are no UTF-8 become U+FFFD. */
void json_text_put(struct text *out, struct bytes value);
