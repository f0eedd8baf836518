#include "gateway/auth_pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int auth_pair_new(unsigned io, unsigned auth, unsigned mails, struct doorbell *io_bell,
	struct doorbell *auth_bell, struct auth_pair **out)
{
	struct auth_pair *pair = aligned_alloc(64, (sizeof(*pair) + 63) / 64 * 64);
	char name[32];
	int error;

	if (!pair)
		return -ENOMEM;
	*pair = (struct auth_pair){.io_bell = io_bell};
	snprintf(name, sizeof(name), "auth_asks%u_%u", io, auth);
	error = handoff_new(
		name, auth_pair_asks(mails), sizeof(struct auth_ask), auth_bell, &pair->asks);
	snprintf(name, sizeof(name), "auth_words%u_%u", io, auth);
	if (error == 0)
		error = handoff_new(name, auth_pair_words(mails), sizeof(struct auth_word), io_bell,
			&pair->words);
	if (error)
		auth_pair_free(pair);
	else
		*out = pair;
	return error;
}

void auth_pair_free(struct auth_pair *pair)
{
	struct auth_ask ask;

	if (!pair)
		return;
	while (pair->asks && handoff_take(pair->asks, &ask, 1) > 0)
		if (ask.kind == AUTH_ASK_CONTENT)
			chunk_release(ask.range.chunk);
	handoff_free(pair->asks);
	handoff_free(pair->words);
	free(pair);
}

bool auth_pair_has_credit(const struct auth_pair *pair)
{
	return pair->sent - atomic_load_explicit(&pair->taken, memory_order_acquire) <
	       AUTH_PAIR_WINDOW;
}

void auth_pair_send(
	struct auth_pair *pair, uint32_t slot, uint32_t generation, struct chunk_range range)
{
	struct auth_ask ask = {AUTH_ASK_CONTENT, slot, generation, .range = range};

	chunk_hold(range.chunk);
	pair->sent += auth_pair_credit(range);
	handoff_post(pair->asks, &ask);
}

/*
 * As with a doorbell: the io lcore says so and looks at `taken` once more before it sleeps (a
 * seq_cst fence of its doorbell in between); the auth lcore takes and then looks at this.
 */
void auth_pair_starve(struct auth_pair *pair)
{
	atomic_store_explicit(&pair->starved, true, memory_order_relaxed);
}

void auth_pair_took(struct auth_pair *pair, uint64_t credit)
{
	uint64_t taken = atomic_load_explicit(&pair->taken, memory_order_relaxed);

	if (credit == 0)
		return;
	atomic_store_explicit(&pair->taken, taken + credit, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&pair->starved, memory_order_relaxed))
		return;
	atomic_store_explicit(&pair->starved, false, memory_order_relaxed);
	doorbell_ring(pair->io_bell);
}
