#include "auth/spf/spf_ask_priv.h"
#include "auth/spf/spf_macro.h"

/*
 * Answers to questions of an earlier step are told by their serial number and dropped.
 */

/* A tag is serial * 64 + index within the step. */
#define TAG_INDEX_BITS 6
_Static_assert(SPF_MAX_NAMES <= 1 << TAG_INDEX_BITS, "an index fits a tag");

bool spf_ask_is_void(const struct dns_answer *answer)
{
	return !dns_answer_is_temporary(answer) && (answer->outcome != DNS_OK || answer->n == 0);
}

bool spf_ask_over_void_limit(struct spf_eval *eval)
{
	if (++eval->voids <= eval->limits.void_lookups)
		return false;
	spf_eval_permerror(eval, "too many void look-ups");
	return true;
}

static void answered(void *owner, uint32_t tag, const struct dns_answer *answer)
{
	struct spf_eval *eval = owner;
	uint32_t serial_mask = UINT32_MAX >> TAG_INDEX_BITS;

	if (eval->stage == SPF_STAGE_DONE || tag >> TAG_INDEX_BITS != (eval->serial & serial_mask))
		return;
	spf_eval_answered(eval, tag & ((1u << TAG_INDEX_BITS) - 1), answer);
}

/* No more questions for this mail. A result that only wants its explanation stands without. */
static void out_of_questions(struct spf_eval *eval)
{
	if (eval->stage == SPF_STAGE_TERMS)
		spf_eval_permerror(eval, "too many DNS questions");
	else
		spf_eval_finish(eval, eval->result, eval->reason);
}

static enum spf_asked ask(struct spf_eval *eval, enum dns_type type, enum dns_use use,
	struct bytes name, unsigned index)
{
	struct dns_question question;

	if (!dns_question_set(&question, type, use, name))
		return SPF_NOT_A_NAME;
	uint32_t tag = eval->serial << TAG_INDEX_BITS | index;
	if (dns_ask(eval->asks, &question, answered, eval, tag))
		return SPF_ASKED;
	out_of_questions(eval);
	return SPF_ASKED_ENDED;
}

enum spf_asked spf_ask_one(struct spf_eval *eval, enum spf_wait wait, enum dns_type type,
	enum dns_use use, struct bytes name)
{
	eval->serial++;
	enum spf_asked asked = ask(eval, type, use, name, 0);
	if (asked == SPF_ASKED)
		eval->wait = wait;
	return asked;
}

enum dns_type spf_ask_address_type(const struct spf_eval *eval)
{
	return ip_addr_is_v4(&eval->input.client) ? DNS_A : DNS_AAAA;
}

void spf_ask_batch(struct spf_eval *eval, struct spf_batch *batch, enum spf_wait wait)
{
	eval->serial++;
	eval->wait = wait;
	for (unsigned i = 0; i < batch->n; i++) {
		enum spf_asked asked =
			ask(eval, spf_ask_address_type(eval), DNS_USE_RAW, batch->names[i], i);
		if (asked == SPF_ASKED_ENDED)
			return;
		batch->open += asked == SPF_ASKED;
	}
}

void spf_ask_ptr(struct spf_eval *eval)
{
	struct dns_question question;

	eval->serial++;
	eval->wait = SPF_WAIT_PTR;
	dns_question_set_reverse(&question, &eval->input.client);
	if (!dns_ask(eval->asks, &question, answered, eval, eval->serial << TAG_INDEX_BITS))
		out_of_questions(eval);
}

bool spf_ask_may(struct spf_eval *eval, struct bytes spec, bool is_ptr)
{
	if (eval->lookups >= eval->limits.lookups) {
		spf_eval_permerror(eval, "too many DNS look-ups");
		return false;
	}
	if (!eval->ptr_known && (is_ptr || spf_macro_uses_p(spec))) {
		spf_ask_ptr(eval);
		return false;
	}
	eval->lookups++;
	return true;
}
