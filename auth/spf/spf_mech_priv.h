#pragma once

#include "auth/spf/spf_eval_priv.h"

/*
 * The mechanisms (RFC 7208 §5): what each asks, and whether the answer matches the client.
 */

/* Evaluates the term that `frame` has come to, or asks what it needs. */
void spf_mech_step(struct spf_eval *eval, struct spf_frame *frame);
/* Of a and exists. */
void spf_mech_on_address(struct spf_eval *eval, const struct dns_answer *answer);
void spf_mech_on_mx(struct spf_eval *eval, const struct dns_answer *answer);
void spf_mech_on_mx_address(struct spf_eval *eval, const struct dns_answer *answer);
