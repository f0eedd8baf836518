#include "auth/dns/dns_asks.h"

#include "base/arena.h"

void dns_asks_init(struct dns_asks *asks, struct arena *arena)
{
	asks->arena = arena;
	asks->n = asks->next_new = asks->open = 0;
}

bool dns_ask(struct dns_asks *asks, const struct dns_question *question, dns_answered_fn answered,
	void *owner, uint32_t tag)
{
	struct dns_ask *ask;

	if (asks->n == DNS_ASKS_MAX)
		return false;
	ask = ARENA_NEW(asks->arena, struct dns_ask);
	if (!ask)
		return false;
	ask->question = *question;
	ask->state = DNS_ASK_NEW;
	ask->answered = answered;
	ask->owner = owner;
	ask->tag = tag;
	asks->ask[asks->n++] = ask;
	asks->open++;
	return true;
}

int dns_asks_take(struct dns_asks *asks, uint64_t now_us)
{
	while (asks->next_new < asks->n) {
		unsigned index = asks->next_new++;
		struct dns_ask *ask = asks->ask[index];

		/* It may have been answered unseen, by who gave up waiting. */
		if (ask->state != DNS_ASK_NEW)
			continue;
		ask->state = DNS_ASK_SENT;
		ask->asked_us = now_us;
		return (int)index;
	}
	return -1;
}

void dns_asks_answer(
	struct dns_asks *asks, unsigned index, const struct dns_answer *answer, uint64_t now_us)
{
	struct dns_ask *ask;

	/* The index has come back over a ring: a late or doubled answer is no error. */
	if (index >= asks->n || asks->ask[index]->state == DNS_ASK_ANSWERED)
		return;
	ask = asks->ask[index];
	dns_answer_hold(answer);
	ask->answer = answer;
	ask->state = DNS_ASK_ANSWERED;
	ask->answered_us = now_us;
	asks->open--;
	/* Last, since it may ask again. */
	ask->answered(ask->owner, ask->tag, answer);
}

void dns_asks_fini(struct dns_asks *asks)
{
	for (unsigned i = 0; i < asks->n; i++) {
		if (asks->ask[i]->answer)
			dns_answer_release(asks->ask[i]->answer);
	}
	asks->n = asks->next_new = asks->open = 0;
}
