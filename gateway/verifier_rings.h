#pragma once

#include "base/slab.h"
#include "gateway/auth_pair.h"
#include "gateway/control/config.h"
#include "gateway/verifier.h"

#include <sys/queue.h>

/*
 * The io lcore's side of the auth lcores: a slot for each mail that one of them verifies. The auth
 * lcore is chosen when the mail begins, the one that has the fewest of ours, and stays.
 */

#define VERIFIER_MAX_LCORES 16

struct verifier_slot {
	TAILQ_ENTRY(verifier_slot) waiting; /* has something to pass on */
	struct mail *mail;                  /* NULL: forgotten */
	struct auth_pair *pair;
	uint32_t index, generation;
	/* What was not passed on yet: `behind` octets from `from` of that chunk on, and the end. */
	struct chunk *chunk;
	uint32_t from;
	uint64_t behind;
	enum auth_feed refused;
	bool is_waiting, ended;
	struct auth_envelope envelope;
	uint8_t text[]; /* of the envelope */
};

struct verifier_rings {
	struct auth_pair *pairs[VERIFIER_MAX_LCORES];
	unsigned n_pairs;
	unsigned next;    /* auth lcore to look at first */
	unsigned awaited; /* mails that are whole, and have no verdict yet */
	uint32_t last_generation;
	size_t text_max; /* octets of a slot's text */
	struct slab slots;
	TAILQ_HEAD(verifier_slots, verifier_slot) waiting;
};

/* For `mails` at once, whose HELO and MAIL FROM have at most `text_max` octets in all. */
int verifier_rings_init(struct verifier_rings *rings, unsigned mails, size_t text_max);
void verifier_rings_fini(struct verifier_rings *rings);
/* Before threads run. */
void verifier_rings_add(struct verifier_rings *rings, struct auth_pair *pair);

/* HELO and MAIL FROM are of one command line each. */
static inline size_t verifier_rings_text_max(const struct config *config)
{
	return 2 * (size_t)config->limits.command_bytes;
}

/* The most mails that one auth lcore may have of an io lcore's, as they are spread. */
static inline unsigned verifier_rings_share(unsigned mails, unsigned n_auth)
{
	return (mails + n_auth - 1) / n_auth;
}

/* Verifies by worker->rings. */
extern const struct verifier verifier_rings;
