#pragma once

#include "auth/dkim/dkim.h"
#include "auth/message/fields.h"
#include "auth/result.h"

struct arena;

/*
 * ARC validation (RFC 8617 §5.2) in step with the message: beside a DKIM verifier of the same mail,
 * whose field index and body hashes it shares.
 */
struct arc_verifier;

/* NULL when the arena is at its bound. `limits`: header_bytes and min_rsa_bits are heeded. */
struct arc_verifier *arc_verifier_new(struct arena *arena, struct dns_asks *asks,
	struct crypto_queue *queue, struct dkim_verifier *dkim, const struct dkim_limits *limits);
/* Every field, top to bottom, after dkim_verifier_field(). */
void arc_verifier_field(struct arc_verifier *verifier, const struct field *field);
/* After dkim_verifier_header_end(), before the first octet of the body, which only DKIM's verifier
 * is fed. */
void arc_verifier_header_end(struct arc_verifier *verifier);
bool arc_verifier_done(const struct arc_verifier *verifier);
/* At any point, and before dkim_verifier_fini(): takes its jobs back from the queue. */
void arc_verifier_fini(struct arc_verifier *verifier);

/*
 * AUTH_NONE without a chain, AUTH_PASS, AUTH_FAIL, or AUTH_TEMPERROR where nothing is wrong but a
 * key could not be had.
 */
enum auth_result arc_verifier_result(const struct arc_verifier *verifier);
/* Highest instance. */
unsigned arc_verifier_chain_length(const struct arc_verifier *verifier);
/* A stable token; NULL on pass and none. */
const char *arc_verifier_reason(const struct arc_verifier *verifier);
/* d= of the newest seal; to be trusted only on pass. */
struct bytes arc_verifier_sealer(const struct arc_verifier *verifier);
/* For the trace: how a signature was checked. */
struct arc_check_view {
	enum auth_result result;
	const char *reason;
	uint64_t verified_us;
	unsigned batch; /* as in struct dkim_result */
};
/* The seal of set `index` + 1, or the newest message signature; false where it was not checked. */
bool arc_verifier_seal(
	const struct arc_verifier *verifier, unsigned index, struct arc_check_view *view);
bool arc_verifier_message(const struct arc_verifier *verifier, struct arc_check_view *view);
/* The sets, for whoever seals next or asks what earlier sealers found. */
struct arc_chain;
const struct arc_chain *arc_verifier_chain(const struct arc_verifier *verifier);
