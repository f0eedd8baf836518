#pragma once

#include "auth/result.h"
#include "base/bytes.h"

#include <stdbool.h>

/*
 * The Authentication-Results field (RFC 8601): built so that no input can break out of it, and
 * recognised when it comes in claiming our identity.
 */
struct authres {
	struct text *out;
	bool first;      /* no method written yet */
	unsigned column; /* for folding */
};

void authres_begin(struct authres *ar, struct text *out, struct bytes authserv_id);
/* A method and its result: "; spf=pass". */
void authres_method(struct authres *ar, const char *method, enum auth_result result);
/* " reason=..." ; quoted as need be. */
void authres_reason(struct authres *ar, struct bytes reason);
/* " smtp.mailfrom=value": a token or addr-spec bare, everything else quoted; controls and NUL never
 * pass. */
void authres_property(
	struct authres *ar, const char *ptype, const char *property, struct bytes value);
/* " (comment)": escaped. */
void authres_comment(struct authres *ar, struct bytes comment);
/* Ends the field with CRLF; writes "none" where no method was given. */
void authres_end(struct authres *ar);

/* Whether a field with this value carries our authserv-id, however it is commented, quoted, folded
 * or cased. */
bool authres_claims(struct bytes field_value, struct bytes authserv_id);
