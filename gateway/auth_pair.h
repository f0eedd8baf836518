#pragma once

#include "auth/pipeline.h"
#include "base/chunk.h"
#include "base/doorbell.h"
#include "gateway/handoff.h"

#include <stdatomic.h>

/*
 * What joins an io lcore and an auth lcore (DESIGN §3): two rings and the records on them. A mail
 * is named by its slot at the io lcore and that slot's generation; the slot is free again once the
 * auth lcore has said AUTH_WORD_DONE, so each side has room for all that the other may say.
 */

enum auth_ask_kind {
	AUTH_ASK_BEGIN,
	AUTH_ASK_CONTENT, /* with a hold on its chunk, which the auth lcore drops */
	AUTH_ASK_END,
	AUTH_ASK_GIVE_UP,
	AUTH_ASK_FORGET, /* answered by AUTH_WORD_DONE; it was given up, or is decided */
};

struct auth_ask {
	enum auth_ask_kind kind;
	uint32_t slot, generation;
	union {
		const struct auth_envelope *envelope; /* stays until AUTH_WORD_DONE */
		struct chunk_range range;
	};
};

_Static_assert(sizeof(struct auth_ask) == 32, "two a cache line");

/* Of each mail, and besides content: what the ring of asks has room for. */
#define AUTH_ASKS_PER_MAIL 4

enum auth_word_kind {
	AUTH_WORD_VERDICT, /* `mail` is the io lcore's now, to read, until it asks to forget it */
	AUTH_WORD_REFUSED, /* its content cannot be verified: there will be no verdict */
	AUTH_WORD_DONE,    /* the last of it */
};

struct auth_word {
	enum auth_word_kind kind;
	uint32_t slot, generation;
	enum auth_feed why; /* of a refusal */
	struct auth_mail *mail;
};

/* Of each mail: what the ring of words has room for. */
#define AUTH_WORDS_PER_MAIL 2

/*
 * Content is on its way for so much at once: octets, and for each range the worth of
 * AUTH_PAIR_RANGE. Beyond that it waits, and in the end its sender does.
 */
#define AUTH_PAIR_WINDOW (4u << 20)
#define AUTH_PAIR_RANGE  4096u

struct auth_pair {
	struct handoff *asks, *words;
	struct doorbell *io_bell;
	/* The io lcore's. */
	unsigned open; /* mails begun and not done */
	uint64_t sent;
	/* Both lcores'. */
	_Alignas(64) _Atomic uint64_t taken; /* of `sent`; by the auth lcore */
	_Atomic bool starved;                /* the io lcore has content that waits for it */
};

/* Records of either ring. The last range may overdraw the window. */
static inline unsigned auth_pair_asks(unsigned mails)
{
	return mails * AUTH_ASKS_PER_MAIL + AUTH_PAIR_WINDOW / AUTH_PAIR_RANGE + 1;
}

static inline unsigned auth_pair_words(unsigned mails)
{
	return mails * AUTH_WORDS_PER_MAIL;
}

/* What they take of DPDK's memory. */
static inline size_t auth_pair_octets(unsigned mails)
{
	return handoff_octets(auth_pair_asks(mails), sizeof(struct auth_ask)) +
	       handoff_octets(auth_pair_words(mails), sizeof(struct auth_word));
}

/* For at most `mails` at once. 0 or -errno. */
int auth_pair_new(unsigned io, unsigned auth, unsigned mails, struct doorbell *io_bell,
	struct doorbell *auth_bell, struct auth_pair **out);
/* Both lcores have ended. */
void auth_pair_free(struct auth_pair *pair);

/* io lcore: there is credit for a range. */
bool auth_pair_has_credit(const struct auth_pair *pair);
/* io lcore: send one, taking a hold; there is credit. */
void auth_pair_send(
	struct auth_pair *pair, uint32_t slot, uint32_t generation, struct chunk_range range);
/* io lcore: there was none; its bell is rung when there is again. */
void auth_pair_starve(struct auth_pair *pair);
/* Auth lcore: ranges of so much credit were taken and their holds dropped. */
void auth_pair_took(struct auth_pair *pair, uint64_t credit);

static inline uint64_t auth_pair_credit(struct chunk_range range)
{
	return AUTH_PAIR_RANGE + chunk_range_len(range);
}
