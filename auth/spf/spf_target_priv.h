#pragma once

#include "auth/spf/spf_eval_priv.h"
#include "auth/spf/spf_macro.h"

/*
 * What the macros of a record stand for in an evaluation (RFC 7208 §4.8, §7).
 */

/* The values of the macros in a record of `domain`. */
struct spf_macro_values spf_target_macros(const struct spf_eval *eval, struct bytes domain);
/* Expands a domain-spec, or takes the current domain; false where the result is no name. */
bool spf_target_name(
	const struct spf_eval *eval, struct bytes domain, struct bytes spec, struct text *name);
