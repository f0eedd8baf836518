/* The date of a mail's fields (RFC 5322 §3.3), from a time given; no locale, no zone files. */
#pragma once

#include "base/bytes.h"

/* "Tue, 24 Nov 2026 12:56:34 +0000" */
void mail_date_put(struct text *out, uint64_t unix_s);
