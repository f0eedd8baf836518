#include "gateway/asker.h"

#include <stdio.h>

/* Answers taken at a time. */
#define BURST 32
/* In the token of a question that no mail waits for. */
#define EARLY_SLOT UINT32_MAX

int asker_init(
	struct asker *asker, uint32_t index, struct doorbell *resolver, struct doorbell *self)
{
	char name[32];
	int error;

	asker->index = index;
	asker->open = 0;
	asker->early = NULL;
	snprintf(name, sizeof(name), "to_resolver%u", index);
	error = handoff_new(
		name, ASKER_CREDIT, sizeof(struct dns_request), resolver, &asker->to_resolver);
	if (error)
		return error;
	snprintf(name, sizeof(name), "from_resolver%u", index);
	return handoff_new(
		name, ASKER_CREDIT, sizeof(struct dns_reply), self, &asker->from_resolver);
}

void asker_fini(struct asker *asker)
{
	struct dns_reply reply;

	while (asker->from_resolver && handoff_take(asker->from_resolver, &reply, 1) > 0)
		dns_answer_release(reply.answer);
	early_free(asker->early);
	asker->early = NULL;
	handoff_free(asker->to_resolver);
	handoff_free(asker->from_resolver);
	asker->to_resolver = asker->from_resolver = NULL;
}

unsigned asker_take(struct asker *asker, struct auth_engine *engine, uint64_t now_us)
{
	struct dns_reply replies[BURST];
	unsigned n = handoff_take(asker->from_resolver, replies, BURST);

	for (unsigned i = 0; i < n; i++) {
		const struct resolver_token *token = &replies[i].token;
		struct auth_ref ref = {token->slot, token->generation};

		if (token->slot == EARLY_SLOT)
			early_answer(asker->early, token->index, replies[i].answer, now_us);
		else
			auth_engine_answer(engine, ref, token->index, replies[i].answer, now_us);
		dns_answer_release(replies[i].answer);
	}
	asker->open -= n;
	return n;
}

/* The next question; those of mails first. */
static bool next_question(
	struct asker *asker, struct auth_engine *engine, struct dns_request *request)
{
	struct auth_ref ref = {EARLY_SLOT, 0};
	bool some = engine && auth_engine_next_question(
				      engine, &ref, &request->token.index, &request->question);

	if (!some && asker->early)
		some = early_next_question(asker->early, &request->token.index, &request->question);
	request->token.slot = ref.slot;
	request->token.generation = ref.generation;
	return some;
}

unsigned asker_send(struct asker *asker, struct auth_engine *engine)
{
	struct dns_request request = {.token.lcore = asker->index};
	unsigned n = 0;

	for (; asker->open < ASKER_CREDIT && next_question(asker, engine, &request); n++) {
		handoff_post(asker->to_resolver, &request);
		asker->open++;
	}
	handoff_ring(asker->to_resolver);
	return n;
}

bool asker_has_answers(const struct asker *asker)
{
	return !handoff_is_empty(asker->from_resolver);
}
