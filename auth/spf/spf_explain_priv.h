#pragma once

#include "auth/spf/spf_eval_priv.h"

/*
 * What people are told: the explanation of a fail that exp= leads to (RFC 7208 §6.2), and the term
 * that is wrong in a record. Whatever goes wrong with exp= only means that there is no explanation.
 */

/* Asks for the text at the name that exp= gives. */
void spf_explain_name(struct spf_eval *eval);
void spf_explain_on_answer(struct spf_eval *eval, const struct dns_answer *answer);
/* Expands the text that came. */
void spf_explain_text(struct spf_eval *eval);
struct bytes spf_explain_syntax_error(struct spf_eval *eval, const struct spf_record *record);
