#include "auth/spf/spf_ask_priv.h"
#include "auth/spf/spf_eval_priv.h"
#include "auth/spf/spf_explain_priv.h"
#include "auth/spf/spf_mech_priv.h"
#include "auth/spf/spf_ptr_priv.h"
#include "auth/spf/spf_target_priv.h"
#include "base/arena.h"

/*
 * check_host() without recursion: a stack of records, one for the domain and one for each include
 * on the way, and a loop that goes on until a question is out.
 */

const struct spf_limits spf_limits_default = {
	.lookups = 10,
	.void_lookups = 2,
	.mx_names = 10,
	.ptr_names = 10,
};

struct spf_frame *spf_eval_top(struct spf_eval *eval)
{
	return &eval->frames[eval->depth - 1];
}

void spf_eval_finish(struct spf_eval *eval, enum auth_result result, struct bytes reason)
{
	eval->stage = SPF_STAGE_DONE;
	eval->wait = SPF_WAIT_NOTHING;
	eval->serial++;
	eval->result = result;
	eval->reason = reason;
}

void spf_eval_permerror(struct spf_eval *eval, const char *reason)
{
	spf_eval_finish(eval, AUTH_PERMERROR, bytes_str(reason));
}

void spf_eval_temperror(struct spf_eval *eval, const struct dns_answer *answer)
{
	spf_eval_finish(eval, AUTH_TEMPERROR, bytes_str(dns_outcome_word(answer->outcome)));
}

/* --- leaving records ---------------------------------------------------------------------------
 */

static void conclude(struct spf_eval *eval, enum auth_result result)
{
	const struct spf_record *record = eval->frames[0].record;

	eval->result = result;
	eval->stage = result == AUTH_FAIL && record->explanation.data ? SPF_STAGE_EXPLAIN_NAME
								      : SPF_STAGE_DONE;
}

/* The top record came to `result`: an include matches only on pass (§5.2). */
static void leave(struct spf_eval *eval, enum auth_result result)
{
	while (eval->depth > 1) {
		eval->depth--;
		struct spf_frame *frame = spf_eval_top(eval);
		if (result != AUTH_PASS) {
			eval->reason = (struct bytes){NULL, 0};
			frame->term++;
			return;
		}
		const struct spf_term *include = &frame->record->terms[frame->term];
		eval->reason = include->text;
		result = include->qualifier;
	}
	conclude(eval, result);
}

void spf_eval_decide(struct spf_eval *eval, bool match)
{
	struct spf_frame *frame = spf_eval_top(eval);
	const struct spf_term *term = &frame->record->terms[frame->term];

	if (match) {
		eval->reason = term->text;
		leave(eval, term->qualifier);
	} else {
		frame->term++;
	}
}

/* --- entering and walking records --------------------------------------------------------------
 */

static void ask_record(struct spf_eval *eval, struct bytes domain)
{
	enum spf_asked asked = spf_ask_one(eval, SPF_WAIT_RECORD, DNS_TXT, DNS_USE_SPF, domain);

	if (asked == SPF_NOT_A_NAME)
		spf_eval_permerror(eval, "include or redirect to what is no domain name");
}

void spf_eval_enter(struct spf_eval *eval, struct bytes domain, bool redirected)
{
	struct bytes kept = arena_dup(eval->arena, domain);

	if (!kept.data) {
		spf_eval_finish(eval, AUTH_TEMPERROR, BYTES("out of memory"));
		return;
	}
	if (!redirected) {
		if (eval->depth == SPF_MAX_DEPTH) {
			spf_eval_permerror(eval, "includes nested too deep");
			return;
		}
		eval->depth++;
	}
	*spf_eval_top(eval) = (struct spf_frame){.domain = kept, .redirected = redirected};
	ask_record(eval, kept);
}

static void step_redirect(struct spf_eval *eval, struct spf_frame *frame)
{
	char room[DNS_NAME_MAX + 2];
	struct text name;

	if (!spf_ask_may(eval, frame->record->redirect, false))
		return;
	text_init(&name, room, sizeof(room));
	if (spf_target_name(eval, frame->domain, frame->record->redirect, &name))
		spf_eval_enter(eval, text_bytes(&name), true);
	else
		spf_eval_permerror(eval, "redirect to what is no domain name");
}

static void step_terms(struct spf_eval *eval)
{
	struct spf_frame *frame = spf_eval_top(eval);

	if (frame->term < frame->record->n_terms)
		spf_mech_step(eval, frame);
	else if (frame->record->redirect.data)
		step_redirect(eval, frame);
	else
		leave(eval, AUTH_NEUTRAL); /* §4.7 */
}

static void on_record(struct spf_eval *eval, const struct dns_answer *answer)
{
	struct spf_frame *frame = spf_eval_top(eval);
	const struct spf_record *record = answer->parsed;

	if (dns_answer_is_temporary(answer)) {
		spf_eval_temperror(eval, answer);
		return;
	}
	if (answer->outcome == DNS_OK && !record) {
		spf_eval_finish(eval, AUTH_TEMPERROR, BYTES("out of memory"));
		return;
	}
	if (answer->outcome != DNS_OK || record->status == SPF_RECORD_NONE) {
		/* §5.2, §6.1: where a record was referred to, there has to be one. */
		if (eval->depth == 1 && !frame->redirected)
			spf_eval_finish(eval, AUTH_NONE, BYTES("no SPF record"));
		else
			spf_eval_permerror(
				eval, "include or redirect to a domain without SPF record");
		return;
	}
	if (record->status == SPF_RECORD_SEVERAL) {
		spf_eval_permerror(eval, "several SPF records");
		return;
	}
	if (record->status == SPF_RECORD_INVALID) {
		spf_eval_finish(eval, AUTH_PERMERROR, spf_explain_syntax_error(eval, record));
		return;
	}
	frame->record = record;
	frame->term = 0;
	eval->wait = SPF_WAIT_NOTHING;
}

/* --- the machine -------------------------------------------------------------------------------
 */

static void run(struct spf_eval *eval)
{
	while (eval->wait == SPF_WAIT_NOTHING && eval->stage != SPF_STAGE_DONE) {
		switch (eval->stage) {
		case SPF_STAGE_TERMS: step_terms(eval); break;
		case SPF_STAGE_EXPLAIN_NAME: spf_explain_name(eval); break;
		case SPF_STAGE_EXPLAIN_TEXT: spf_explain_text(eval); break;
		case SPF_STAGE_DONE: break;
		}
	}
}

void spf_eval_answered(struct spf_eval *eval, unsigned index, const struct dns_answer *answer)
{
	switch (eval->wait) {
	case SPF_WAIT_NOTHING: return;
	case SPF_WAIT_RECORD: on_record(eval, answer); break;
	case SPF_WAIT_ADDRESS:
	case SPF_WAIT_EXISTS: spf_mech_on_address(eval, answer); break;
	case SPF_WAIT_MX: spf_mech_on_mx(eval, answer); break;
	case SPF_WAIT_MX_ADDRESSES: spf_mech_on_mx_address(eval, answer); break;
	case SPF_WAIT_PTR: spf_ptr_on_answer(eval, answer); break;
	case SPF_WAIT_PTR_ADDRESSES: spf_ptr_on_address(eval, index, answer); break;
	case SPF_WAIT_EXPLANATION: spf_explain_on_answer(eval, answer); break;
	}
	run(eval);
}

/* §4.3: a name of more than one label, and no address literal. */
static bool is_checkable(struct bytes domain)
{
	struct dns_question question;

	if (bytes_find(domain, '.') == BYTES_NPOS)
		return false;
	for (size_t i = 0; i < domain.len; i++) {
		int c = domain.data[i];
		if (c <= ' ' || c == 0x7f || c == '[' || c == ']' || c == '@')
			return false;
	}
	return dns_question_set(&question, DNS_TXT, DNS_USE_SPF, domain);
}

struct spf_eval *spf_eval_new(struct arena *arena, struct dns_asks *asks,
	const struct spf_limits *limits, const struct spf_input *input)
{
	struct spf_eval *eval = ARENA_NEW(arena, struct spf_eval);

	if (!eval)
		return NULL;
	eval->arena = arena;
	eval->asks = asks;
	eval->limits = *limits;
	eval->input = *input;
	struct bytes *domain = &eval->input.domain;
	if (domain->len > 0 && domain->data[domain->len - 1] == '.')
		domain->len--;
	if (eval->input.local_part.len == 0)
		eval->input.local_part = BYTES("postmaster");
	if (!is_checkable(*domain)) {
		spf_eval_finish(eval, AUTH_NONE, BYTES("no domain to check"));
		return eval;
	}
	eval->depth = 1;
	eval->frames[0] = (struct spf_frame){.domain = *domain};
	ask_record(eval, *domain);
	return eval;
}

bool spf_eval_done(const struct spf_eval *eval)
{
	return eval->stage == SPF_STAGE_DONE;
}

enum auth_result spf_eval_result(const struct spf_eval *eval)
{
	return eval->result;
}

struct bytes spf_eval_reason(const struct spf_eval *eval)
{
	return eval->reason;
}

struct bytes spf_eval_explanation(const struct spf_eval *eval)
{
	return eval->explanation;
}

bool spf_eval_is_bare_reject(const struct spf_eval *eval)
{
	const struct spf_record *record = eval->frames[0].record;

	return record && record->bare_reject && !eval->frames[0].redirected;
}
