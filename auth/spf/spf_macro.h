#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * SPF macros (RFC 7208 §7): the syntax, checked when a record is parsed, and the expansion, done
 * when a term is evaluated.
 */

/* What a string is wanted for decides its grammar. */
enum spf_macro_kind {
	SPF_MACRO_DOMAIN,  /* domain-spec: ends in a toplabel or a macro; no c, r, t */
	SPF_MACRO_STRING,  /* macro-string: the value of an unknown modifier, may be empty */
	SPF_MACRO_EXPLAIN, /* explain-string: blanks too, and c, r, t */
};

bool spf_macro_valid(struct bytes string, enum spf_macro_kind kind);
/* Whether a valid string needs the validated host name of the client, which costs look-ups. */
bool spf_macro_uses_p(struct bytes string);

struct spf_macro_values {
	struct ip_addr client;
	struct bytes local_part; /* never empty */
	struct bytes sender_domain;
	struct bytes domain; /* the current <domain>: that of an include inside it */
	struct bytes helo, receiver;
	struct bytes validated; /* %{p}; "unknown" where nothing validates */
	uint64_t now_unix_s;
};

/*
 * Expands a valid string into `out`, whose overflow flag tells that the result is longer than the
 * room. No other outcome than that.
 */
void spf_macro_expand(struct bytes string, const struct spf_macro_values *values, struct text *out);

/* Longest expansion of a domain-spec that is looked at; a longer one is no name. */
#define SPF_MACRO_DOMAIN_ROOM 2048
/*
 * Expands a domain-spec to a name of at most 253 octets: labels are taken from the left till it
 * fits (§7.3), and a final dot goes. `name` has room for DNS_NAME_MAX octets. False where nothing
 * that could be a name is left.
 */
bool spf_macro_domain(struct bytes spec, const struct spf_macro_values *values, struct text *name);
