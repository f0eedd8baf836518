#include "auth/arc/arc.h"

#include "auth/arc/arc_chain.h"
#include "auth/dkim/dkim_body.h"
#include "auth/dkim/dkim_check.h"
#include "auth/dkim/dkim_header.h"
#include "base/arena.h"

struct arc_verifier {
	struct arena *arena;
	struct dns_asks *asks;
	struct crypto_queue *queue;
	struct dkim_verifier *dkim;
	struct dkim_limits limits;
	struct arc_chain chain;
	struct dkim_check *seal[ARC_MAX_SETS]; /* by instance - 1 */
	struct dkim_check message;             /* of the newest AMS */
	struct dkim_body_stream *stream;
	struct dkim_body_wait wait;
	unsigned n_open; /* checks not settled, and the body */
	bool started, done;
	enum auth_result result;
	const char *reason;
};

_Static_assert(sizeof(struct arc_verifier) <= 3072, "fits a block of the arena");

struct arc_verifier *arc_verifier_new(struct arena *arena, struct dns_asks *asks,
	struct crypto_queue *queue, struct dkim_verifier *dkim, const struct dkim_limits *limits)
{
	struct arc_verifier *verifier = ARENA_NEW(arena, struct arc_verifier);
	if (!verifier)
		return NULL;
	verifier->arena = arena;
	verifier->asks = asks;
	verifier->queue = queue;
	verifier->dkim = dkim;
	verifier->limits = *limits;
	arc_chain_init(&verifier->chain, arena);
	return verifier;
}

static void finish(struct arc_verifier *verifier, enum auth_result result, const char *reason)
{
	if (verifier->done)
		return;
	verifier->done = true;
	verifier->result = result;
	verifier->reason = reason;
	arc_verifier_fini(verifier);
}

/* No memory is no failure of the mail. */
static void fail(struct arc_verifier *verifier, const char *reason)
{
	bool temporary = strcmp(reason, "no_memory") == 0;
	finish(verifier, temporary ? AUTH_TEMPERROR : AUTH_FAIL, reason);
}

/* --- results --------------------------------------------------------------------------------- */

/* Folds one check into the result: a failure counts more than a key that could not be had. */
static void fold(const struct dkim_check *check, const char *failed, enum auth_result *result,
	const char **reason)
{
	if (check->result == AUTH_PASS || *result == AUTH_FAIL)
		return;
	bool temporary = check->result == AUTH_TEMPERROR;
	if (temporary && *result == AUTH_TEMPERROR)
		return;
	*result = temporary ? AUTH_TEMPERROR : AUTH_FAIL;
	*reason = check->result == AUTH_FAIL ? failed : check->reason;
}

/*
 * Everything is in. Reasons come in the order of RFC 8617 §5.2 (newest AMS, then the seals from the
 * newest down), never in that of arrival.
 */
static void conclude(struct arc_verifier *verifier)
{
	enum auth_result result = AUTH_PASS;
	const char *reason = NULL;
	const struct dkim_sig *ams = verifier->message.sig;
	const struct dkim_body_stream *stream = verifier->stream;

	if (memcmp(stream->digest, ams->body_hash, sizeof(ams->body_hash)) != 0) {
		finish(verifier, AUTH_FAIL, "body_hash_mismatch");
		return;
	}
	if (stream->tail ||
		(ams->body_length != DKIM_SIG_NO_LENGTH && stream->given < ams->body_length)) {
		finish(verifier, AUTH_FAIL, "body_length_mismatch");
		return;
	}
	fold(&verifier->message, "message_signature_mismatch", &result, &reason);
	for (unsigned i = verifier->chain.length; i-- > 0;)
		fold(verifier->seal[i], "seal_mismatch", &result, &reason);
	finish(verifier, result, reason);
}

static void one_settled(void *owner)
{
	struct arc_verifier *verifier = owner;
	if (--verifier->n_open == 0 && verifier->started && !verifier->done)
		conclude(verifier);
}

/* --- fields ---------------------------------------------------------------------------------- */

static void check_init(
	struct arc_verifier *verifier, struct dkim_check *check, const struct dkim_sig *sig)
{
	dkim_check_init(check, sig, verifier->queue, verifier->limits.min_rsa_bits);
	check->settled = one_settled;
	check->owner = verifier;
	verifier->n_open++;
	const char *wrong = dkim_check_ask(check, verifier->asks);
	if (wrong)
		fail(verifier, wrong);
}

void arc_verifier_field(struct arc_verifier *verifier, const struct field *field)
{
	const struct dkim_sig *sig = arc_chain_add(&verifier->chain, field);
	if (!sig || sig->kind != DKIM_SIG_AS || verifier->done)
		return;
	struct dkim_check *check = ARENA_NEW(verifier->arena, struct dkim_check);
	verifier->seal[sig->instance - 1] = check;
	if (check)
		check_init(verifier, check, sig);
	else
		fail(verifier, "no_memory");
}

/*
 * Each seal covers all sets up to its own (§5.1.1), so one sum runs through the chain and every
 * seal takes its digest on the way.
 */
static const char *hash_seals(struct arc_verifier *verifier)
{
	struct dkim_header_sum sum;
	dkim_header_sum_init(&sum, verifier->limits.header_bytes);
	for (unsigned i = 0; i < verifier->chain.length; i++) {
		const struct arc_set *set = &verifier->chain.set[i];
		uint8_t digest[32];
		dkim_header_sum_field(&sum, DKIM_RELAXED, set->aar);
		dkim_header_sum_field(&sum, DKIM_RELAXED, set->ams->raw);
		struct dkim_header_sum sealed = sum;
		dkim_header_sum_signature(&sealed, set->as);
		const char *wrong = dkim_header_sum_end(&sealed, digest);
		if (wrong)
			return wrong;
		dkim_check_digest(verifier->seal[i], digest);
		dkim_header_sum_field(&sum, DKIM_RELAXED, set->as->raw);
	}
	return NULL;
}

/* NULL or the reason of failure. */
static const char *start_message(struct arc_verifier *verifier)
{
	const struct dkim_sig *ams = verifier->chain.set[verifier->chain.length - 1].ams;
	uint8_t digest[32];
	const char *wrong = dkim_header_hash(
		dkim_verifier_header(verifier->dkim), ams, verifier->limits.header_bytes, digest);
	if (wrong)
		return wrong;
	struct dkim_body *body = dkim_verifier_bodies(verifier->dkim);
	verifier->stream = dkim_body_want(body, ams->body, ams->body_length);
	if (!verifier->stream)
		return "no_memory";
	verifier->n_open++;
	verifier->wait = (struct dkim_body_wait){.hashed = one_settled, .owner = verifier};
	dkim_body_wait(verifier->stream, &verifier->wait);
	check_init(verifier, &verifier->message, ams);
	dkim_check_digest(&verifier->message, digest);
	return NULL;
}

void arc_verifier_header_end(struct arc_verifier *verifier)
{
	if (verifier->started)
		return;
	verifier->started = true;
	if (arc_chain_is_empty(&verifier->chain)) {
		finish(verifier, AUTH_NONE, NULL);
		return;
	}
	const char *wrong = arc_chain_check(&verifier->chain);
	if (wrong)
		fail(verifier, wrong);
	if (!verifier->done && (wrong = start_message(verifier)))
		fail(verifier, wrong);
	if (!verifier->done && (wrong = hash_seals(verifier)))
		fail(verifier, wrong);
}

/* --- the rest -------------------------------------------------------------------------------- */

bool arc_verifier_done(const struct arc_verifier *verifier)
{
	return verifier->done && verifier->started;
}

void arc_verifier_fini(struct arc_verifier *verifier)
{
	for (unsigned i = 0; i < ARC_MAX_SETS; i++)
		if (verifier->seal[i])
			dkim_check_cancel(verifier->seal[i]);
	if (verifier->message.queue)
		dkim_check_cancel(&verifier->message);
}

enum auth_result arc_verifier_result(const struct arc_verifier *verifier)
{
	return verifier->result;
}

unsigned arc_verifier_chain_length(const struct arc_verifier *verifier)
{
	return verifier->chain.length;
}

const char *arc_verifier_reason(const struct arc_verifier *verifier)
{
	return verifier->reason;
}

struct bytes arc_verifier_sealer(const struct arc_verifier *verifier)
{
	unsigned n = verifier->chain.length;
	const struct dkim_sig *as = n ? verifier->chain.set[n - 1].as : NULL;
	return as ? as->domain : (struct bytes){NULL, 0};
}

const struct arc_chain *arc_verifier_chain(const struct arc_verifier *verifier)
{
	return &verifier->chain;
}

static bool view_check(const struct dkim_check *check, struct arc_check_view *view)
{
	if (!check || check->done_us == 0)
		return false;
	*view = (struct arc_check_view){
		check->result, check->reason, check->done_us, check->job.batch};
	return true;
}

bool arc_verifier_seal(
	const struct arc_verifier *verifier, unsigned index, struct arc_check_view *view)
{
	return index < ARC_MAX_SETS && view_check(verifier->seal[index], view);
}

bool arc_verifier_message(const struct arc_verifier *verifier, struct arc_check_view *view)
{
	return view_check(&verifier->message, view);
}
