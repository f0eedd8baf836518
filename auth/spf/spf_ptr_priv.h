#pragma once

#include "auth/spf/spf_eval_priv.h"

/*
 * The client's names, as ptr and %{p} want them: those of its address that lead back to it
 * (RFC 7208 §5.5).
 */

void spf_ptr_on_answer(struct spf_eval *eval, const struct dns_answer *answer);
void spf_ptr_on_address(struct spf_eval *eval, unsigned index, const struct dns_answer *answer);
/* The value of %{p} in `domain`. */
struct bytes spf_ptr_validated_name(const struct spf_eval *eval, struct bytes domain);
/* Whether a name is `target` or below it. */
bool spf_ptr_matches(const struct spf_eval *eval, struct bytes target);
