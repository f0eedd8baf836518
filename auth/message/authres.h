#pragma once

#include "auth/result.h"
#include "base/bytes.h"

#include <stdbool.h>

/*
 * The Authentication-Results field (RFC 8601): built so that no input can break out of it, and
 * recognised when it comes in claiming our identity. Nothing but printable ASCII and well-formed
 * UTF-8 is written; every other octet becomes '?'. Lines are folded before column 78 wherever a
 * blank may stand (RFC 5322 §2.1.1).
 *
 * Where `out` overflows the field is cut short and must not be used.
 */
struct authres {
	struct text *out;
	bool first;      /* no method written yet */
	unsigned column; /* for folding */
};

/* Octets of one value or comment; a longer property is left out with a word, other text is cut. */
#define AUTHRES_VALUE_MAX 768

void authres_begin(struct authres *ar, struct text *out, struct bytes authserv_id);
/* A method and its result: "; spf=pass". */
void authres_method(struct authres *ar, const char *method, enum auth_result result);
/* " reason=..." ; quoted as need be. Stands between the method and its properties. */
void authres_reason(struct authres *ar, struct bytes reason);
/* " smtp.mailfrom=value": a token or addr-spec bare, everything else quoted; controls and NUL never
 * pass. */
void authres_property(
	struct authres *ar, const char *ptype, const char *property, struct bytes value);
/* " (comment)": escaped. */
void authres_comment(struct authres *ar, struct bytes comment);
/* Ends the field with CRLF; writes "none" where no method was given. */
void authres_end(struct authres *ar);

/*
 * Whether a field with this value carries our authserv-id, however it is commented, quoted, folded
 * or cased. Where a value cannot be read (a comment or string that does not end, an encoded word),
 * it counts as ours if a lenient reader could take it so.
 */
bool authres_claims(struct bytes field_value, struct bytes authserv_id);
