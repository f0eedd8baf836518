#pragma once

#include "base/bytes.h"
#include "base/counters.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Hash and public-key work as jobs, so that the work of many mails meets in batches (DESIGN §4.5).
 * A job is the caller's memory; it is given to a queue and is the queue's until it is done or
 * cancelled. One queue set per thread, no locks.
 */

struct crypto_queue;

/* --- SHA-256 over what a job yields ---------------------------------------------------------- */

struct sha256_state {
	uint32_t h[8];
	uint64_t octets;
	uint8_t block[64]; /* a block not yet full: octets % 64 of it */
};

void sha256_init(struct sha256_state *state);
/* At once, one stream. */
void sha256_update(struct sha256_state *state, struct bytes bytes);
/* The digest of what came so far; the state stays as it is and may be fed further. */
void sha256_final(const struct sha256_state *state, uint8_t digest[32]);

#define HASH_SCRATCH 4096u /* octets a pull function may write */

struct hash_job;

/*
 * The next octets to hash: written to `scratch` (HASH_SCRATCH octets), or lying anywhere that stays
 * until the next pull. false: no more for now.
 */
typedef bool (*hash_pull_fn)(struct hash_job *job, uint8_t *scratch, struct bytes *piece);

/*
 * One stream of octets. The pull function is called while the queue runs, so that a transform
 * (canonicalization) happens just before its output is hashed, still in cache.
 */
struct hash_job {
	struct hash_job *next, **link; /* the queue's, as `queued` */
	bool queued;
	struct sha256_state state;
	hash_pull_fn pull;
	void (*ran)(struct hash_job *job); /* all that was there is hashed; may be NULL */
};

/* `pull` has something to give. Nothing happens where the job is queued already. */
void crypto_add_hash(struct crypto_queue *queue, struct hash_job *job);
/* Run this one job at once if it is queued (its source needs its memory back). */
void crypto_flush_hash(struct crypto_queue *queue, struct hash_job *job);
void crypto_cancel_hash(struct crypto_queue *queue, struct hash_job *job);

/* --- public keys ----------------------------------------------------------------------------- */

enum pubkey_algorithm { PUBKEY_RSA, PUBKEY_ED25519 };

/*
 * A key as the record cache keeps it: parsed once, with what a batch needs precomputed. Immutable
 * and shared between threads.
 */
struct pubkey;

enum pubkey_error {
	PUBKEY_OK,
	PUBKEY_MALFORMED, /* neither SubjectPublicKeyInfo nor RSAPublicKey / not 32 octets */
	PUBKEY_TOO_LARGE, /* RSA over PUBKEY_MAX_RSA_BITS */
	PUBKEY_NO_MEMORY,
};

#define PUBKEY_MAX_RSA_BITS 4096u /* RFC 8301 §3.2 asks for no more */

enum pubkey_error pubkey_new(
	enum pubkey_algorithm algorithm, struct bytes der_or_raw, struct pubkey **out);
void pubkey_free(struct pubkey *key);
enum pubkey_algorithm pubkey_algorithm(const struct pubkey *key);
/* Bits of the RSA modulus; 256 for Ed25519. */
unsigned pubkey_bits(const struct pubkey *key);

enum pubkey_verdict { PUBKEY_PENDING, PUBKEY_GOOD, PUBKEY_BAD };

struct pubkey_job {
	struct pubkey_job *next, **link; /* the queue's, as `lane`, `queued` and `since_us` */
	uint8_t lane;
	uint8_t batch; /* signatures verified side by side with it; 1: by itself */
	bool queued;
	enum pubkey_verdict verdict;
	uint64_t since_us;
	const struct pubkey *key; /* to be held by the caller until done */
	struct bytes signature;
	uint8_t digest[32]; /* SHA-256; for Ed25519 (RFC 8463 §3) it is the message itself */
	void (*done)(struct pubkey_job *job); /* called from crypto_run() */
	void *owner;
};

void crypto_add_pubkey(struct crypto_queue *queue, struct pubkey_job *job);
/* Nothing happens where the job is not queued. */
void crypto_cancel_pubkey(struct crypto_queue *queue, struct pubkey_job *job);

/*
 * How RSA is verified: "avx512-ifma" or "avx2", in batches, or "openssl", one by one; the best that
 * this CPU has. Tests and measurements may ask for another, before there is any key; false where
 * the CPU lacks it.
 */
bool crypto_rsa_use(const char *path);
/* The one in use. */
const char *crypto_rsa_path(void);
/* How SHA-256 is computed: many streams / few, "avx512+sha-ni" or "avx512+openssl", or all of them
 * by "sha-ni" or "openssl". */
const char *crypto_hash_path(void);

/* --- the queue ------------------------------------------------------------------------------- */

/* A public-key job waits at most so long for others of its size class to fill its batch. */
#define CRYPTO_BATCH_WAIT_US 100u

#define CRYPTO_COUNTERS(X)                                                                         \
	X(CRYPTO_HASHED_OCTETS, "crypto_hashed_octets", "octets hashed by jobs")                   \
	X(CRYPTO_HASH_RUNS, "crypto_hash_runs", "runs of hash jobs side by side")                  \
	X(CRYPTO_RSA_BATCHES, "crypto_rsa_batches", "batches of RSA verifications")                \
	X(CRYPTO_RSA_BATCHED, "crypto_rsa_batched", "RSA signatures verified in batches")          \
	X(CRYPTO_RSA_SINGLE, "crypto_rsa_single", "RSA signatures verified one by one")            \
	X(CRYPTO_ED25519, "crypto_ed25519", "Ed25519 signatures verified")                         \
	X(CRYPTO_GOOD, "crypto_good", "signatures that were right")                                \
	X(CRYPTO_BUDGET_HIT, "crypto_budget_hit", "runs that ended at their budget")
COUNTERS_DECLARE(crypto, CRYPTO_COUNTERS)

/* NULL when memory is out. */
struct crypto_queue *crypto_queue_new(void);
/* Nothing may be queued any more. */
void crypto_queue_free(struct crypto_queue *queue);

/*
 * Run what is queued: every hash job, then full batches of public-key jobs, and, when `idle` (the
 * caller has nothing else to do) or a job has waited CRYPTO_BATCH_WAIT_US, those not full too. The
 * size classes take turns, one batch each. Stops early once the public-key work is estimated at
 * `budget_us` (at least one batch is run). Returns jobs done.
 */
unsigned crypto_run(struct crypto_queue *queue, uint64_t now_us, bool idle, uint32_t budget_us);
/* When a batch that is not full has to be run; 0 if something can run now, UINT64_MAX if nothing
 * waits. */
uint64_t crypto_deadline_us(const struct crypto_queue *queue);
unsigned crypto_pending(const struct crypto_queue *queue);
/* The time of the last run. */
uint64_t crypto_now_us(const struct crypto_queue *queue);
const struct counter_block *crypto_counters(const struct crypto_queue *queue);
