#include "auth/spf/spf_ask_priv.h"
#include "auth/spf/spf_explain_priv.h"
#include "auth/spf/spf_target_priv.h"
#include "base/arena.h"

#define MAX_EXPLANATION 1024
#define MAX_ERROR_TERM  64 /* octets of a wrong term that are told */

/* Records and what macros bring in (local part, HELO) are written by strangers, and go into
 * replies. */
static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != ' ' && !ascii_is_vchar(text.data[i]))
			return false;
	}
	return true;
}

/* "bad domain-spec: a:foo-bar", so that a postmaster can find it. */
struct bytes spf_explain_syntax_error(struct spf_eval *eval, const struct spf_record *record)
{
	struct bytes where = bytes_slice(record->where, 0, MAX_ERROR_TERM);
	struct bytes told = {NULL, 0};

	if (is_printable(where))
		told = arena_printf(eval->arena, "%s: %.*s", record->error, BYTES_FMT(where));
	return told.data ? told : bytes_str(record->error);
}

void spf_explain_name(struct spf_eval *eval)
{
	const struct spf_frame *frame = &eval->frames[0];
	char room[DNS_NAME_MAX + 2];
	struct text name;

	if (!eval->ptr_known && spf_macro_uses_p(frame->record->explanation)) {
		spf_ask_ptr(eval);
		return;
	}
	text_init(&name, room, sizeof(room));
	bool asked = spf_target_name(eval, frame->domain, frame->record->explanation, &name) &&
		     spf_ask_one(eval, SPF_WAIT_EXPLANATION, DNS_TXT, DNS_USE_RAW,
			     text_bytes(&name)) == SPF_ASKED;
	eval->stage = asked ? SPF_STAGE_EXPLAIN_TEXT : SPF_STAGE_DONE;
}

void spf_explain_on_answer(struct spf_eval *eval, const struct dns_answer *answer)
{
	eval->wait = SPF_WAIT_NOTHING;
	if (answer->outcome == DNS_OK && answer->n == 1 &&
		spf_macro_valid(answer->records[0].text, SPF_MACRO_EXPLAIN))
		eval->explanation_text = answer->records[0].text;
	else
		eval->stage = SPF_STAGE_DONE;
}

void spf_explain_text(struct spf_eval *eval)
{
	char room[MAX_EXPLANATION + 1];
	struct text text;

	if (!eval->ptr_known && spf_macro_uses_p(eval->explanation_text)) {
		spf_ask_ptr(eval);
		return;
	}
	const struct spf_macro_values values = spf_target_macros(eval, eval->frames[0].domain);
	text_init(&text, room, sizeof(room));
	spf_macro_expand(eval->explanation_text, &values, &text);
	if (!text.overflow && is_printable(text_bytes(&text)))
		eval->explanation = arena_dup(eval->arena, text_bytes(&text));
	eval->stage = SPF_STAGE_DONE;
}
