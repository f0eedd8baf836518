#include "auth/arc/arc_seal_message.h"

#include "auth/arc/arc_results.h"
#include "auth/dkim/dkim_message.h"
#include "auth/dkim/dkim_sign.h"

#include <errno.h>
#include <stdlib.h>

#define RESULTS_MAX 65536

struct sealing {
	const struct arc_seal_options *options;
	struct dkim_message message;
	struct arc_chain chain;
	struct arc_results results;
	struct arc_seal_input input;
	struct arc_seal seal;
	char buffer[RESULTS_MAX];
};

static void each_field(void *arg, const struct field *field)
{
	struct sealing *s = arg;

	arc_chain_add(&s->chain, field);
	arc_results_add(&s->results, field);
}

/* What the results say of the chain; more than one of them, or an odd one, is a failure. */
static enum arc_seal_refusal find_cv(struct sealing *s, enum arc_cv *cv)
{
	const struct arc_results *r = &s->results;
	bool empty = arc_chain_is_empty(&s->chain);

	*cv = ARC_CV_FAIL;
	if (r->n_arc == 0 || (r->n_arc == 1 && r->arc == AUTH_NONE))
		*cv = ARC_CV_NONE;
	else if (r->n_arc == 1 && r->arc == AUTH_PASS)
		*cv = ARC_CV_PASS;
	else if (r->n_arc == 1 && r->arc == AUTH_TEMPERROR && !empty)
		return ARC_SEAL_CHAIN_UNCHECKED;
	return ARC_SEAL_OK;
}

static enum arc_seal_refusal prepare(struct sealing *s)
{
	enum arc_seal_refusal refusal = find_cv(s, &s->input.cv);

	if (refusal != ARC_SEAL_OK)
		return refusal;
	s->input.results = arc_results_end(&s->results);
	if (s->results.joined.overflow)
		return ARC_SEAL_HEADER;
	s->input.names = s->options->names;
	s->input.now_unix_s = s->options->now_unix_s;
	dkim_sign_body_digest(
		DKIM_RELAXED, DKIM_SIG_NO_LENGTH, s->message.body, s->input.body_hash);
	return arc_seal_prepare(&s->options->key, &s->input, &s->chain, &s->message.header,
		&s->message.arena, &s->seal);
}

int arc_seal_message(const struct arc_seal_options *options, struct bytes message, struct text *out,
	enum arc_seal_refusal *refusal)
{
	struct sealing *s = calloc(1, sizeof(*s));
	int error;

	*refusal = ARC_SEAL_OK;
	if (!s)
		return -ENOMEM;
	s->options = options;
	arc_chain_init(&s->chain, &s->message.arena);
	arc_results_init(&s->results, options->authserv_id, s->buffer, sizeof(s->buffer));
	error = dkim_message_open(&s->message, message, each_field, s);
	if (error == 0)
		*refusal = prepare(s);
	if (error == 0 && *refusal == ARC_SEAL_OK)
		error = arc_seal_sign(&options->key, &s->seal, out);
	dkim_message_close(&s->message);
	free(s);
	return error;
}
