#pragma once

#include "auth/arc/arc_chain.h"
#include "auth/crypto/crypto.h"
#include "auth/dkim/dkim_header.h"

struct arena;
struct dkim_signer;

/*
 * Sealing (RFC 8617 §5.1), in two steps. What a set covers is gathered where the message is, and
 * fits in a few hundred octets; signing it, two operations with the private key, can then be done
 * by any thread, with the message gone.
 */

enum arc_cv { ARC_CV_NONE, ARC_CV_PASS, ARC_CV_FAIL };
const char *arc_cv_word(enum arc_cv cv);

/* Whose seal; borrowed. */
struct arc_seal_key {
	const struct dkim_signer *signer;
	struct bytes domain, selector;
};

struct arc_seal_input {
	struct bytes results; /* for the AAR: "ID; spf=pass ...", folded or not, without CRLF */
	enum arc_cv cv;
	struct bytes names;    /* h= of the AMS; absent: what DKIM signs, and DKIM-Signature */
	uint8_t body_hash[32]; /* relaxed, of all of it */
	uint64_t now_unix_s;
};

struct arc_seal {
	unsigned instance;
	enum arc_cv cv;
	uint64_t now_unix_s;
	struct bytes aar, ams;      /* fields, without the CRLF; b= of the AMS is still empty */
	size_t ams_b;               /* where in `ams` its value goes */
	uint8_t ams_digest[32];     /* to be signed for the AMS */
	struct sha256_state sealed; /* of what the seal covers, up to the AAR */
};

/* Why there is nothing to seal. */
#define ARC_SEAL_REFUSALS(X)                                                                       \
	X(CHAIN_FAILED, "the chain has failed before, and nothing may be added")                   \
	X(CHAIN_FULL, "the chain has as many sets as it may")                                      \
	X(CHAIN_UNREADABLE, "no instance of the chain can be read")                                \
	X(CHAIN_UNCHECKED, "there is no result for the chain")                                     \
	X(NO_CHAIN, "there is a result for a chain, but no chain")                                 \
	X(HEADER, "the header section cannot be signed")                                           \
	X(NO_MEMORY, "no memory")

enum arc_seal_refusal {
	ARC_SEAL_OK,
#define X(name, text) ARC_SEAL_##name,
	ARC_SEAL_REFUSALS(X)
#undef X
};

const char *arc_seal_refusal_text(enum arc_seal_refusal refusal);

/*
 * The first step. `chain` has seen every field of `header`; it may be empty, and it may be no chain
 * at all where cv is fail. Octets of the seal come from the arena.
 */
enum arc_seal_refusal arc_seal_prepare(const struct arc_seal_key *key,
	const struct arc_seal_input *input, const struct arc_chain *chain,
	struct dkim_header *header, struct arena *arena, struct arc_seal *seal);

/* Octets that the three fields of a seal may take. */
size_t arc_seal_room(const struct arc_seal *seal);
/*
 * The second step, on any thread: the set's three fields, the seal first, each with its CRLF. 0,
 * -ENOMEM or -ENOSPC.
 */
int arc_seal_sign(const struct arc_seal_key *key, const struct arc_seal *seal, struct text *out);
