#pragma once

#include "auth/spf/spf_eval_priv.h"

/*
 * The questions of an evaluation to the DNS, and the limits on them (RFC 7208 §4.6.4).
 */

/* SPF_ASKED_ENDED: no more questions for this mail, and the evaluation is over. */
enum spf_asked { SPF_ASKED, SPF_NOT_A_NAME, SPF_ASKED_ENDED };

/*
 * Before a term that asks: the limit of ten, and the client's names if they are needed and not yet
 * known. False where evaluation has to wait or is over; the term is met again then.
 */
bool spf_ask_may(struct spf_eval *eval, struct bytes spec, bool is_ptr);
/* One question, whose answer is the next step. A target that is no name matches nothing (§4.8). */
enum spf_asked spf_ask_one(struct spf_eval *eval, enum spf_wait wait, enum dns_type type,
	enum dns_use use, struct bytes name);
/* Ask for the addresses of all names of a batch; the caller has set them. */
void spf_ask_batch(struct spf_eval *eval, struct spf_batch *batch, enum spf_wait wait);
/* For the client's names; the answer goes to spf_ptr. */
void spf_ask_ptr(struct spf_eval *eval);
/* A or AAAA, as the client is. */
enum dns_type spf_ask_address_type(const struct spf_eval *eval);
/* A lasting answer that has no record. */
bool spf_ask_is_void(const struct dns_answer *answer);
/* §4.6.4: terms whose look-up finds nothing. True where that ended the evaluation. */
bool spf_ask_over_void_limit(struct spf_eval *eval);
