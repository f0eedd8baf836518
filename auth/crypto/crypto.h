#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Hash and public-key work as jobs, so that the work of many mails meets in batches (DESIGN §4.5). A job is
 * the caller's memory; it is given to a queue and is the queue's until it is done. One queue set per
 * thread, no locks.
 */

/* --- SHA-256 over ranges ------------------------------------------------------------------------ */

struct sha256_state {
	uint32_t h[8];
	uint64_t octets;
	uint8_t block[64]; /* a block not yet full: octets % 64 of it */
};

void sha256_init(struct sha256_state *state);
/* At once, one stream. */
void sha256_update(struct sha256_state *state, struct bytes bytes);
void sha256_final(const struct sha256_state *state, uint8_t digest[32]);

/* Feed `bytes` to `state`; the bytes must stay until the queue has run. */
struct hash_job {
	struct hash_job *next;
	struct sha256_state *state;
	struct bytes bytes;
};

struct crypto_queue;

/* Several streams side by side when the queue runs. Jobs of one state run in the order they were added. */
void crypto_add_hash(struct crypto_queue *queue, struct hash_job *job);

/* --- public keys -------------------------------------------------------------------------------- */

enum pubkey_algorithm { PUBKEY_RSA, PUBKEY_ED25519 };

/*
 * A key as the record cache keeps it: parsed once, with what a batch needs precomputed. Immutable and
 * shared between threads.
 */
struct pubkey;

enum pubkey_error {
	PUBKEY_OK,
	PUBKEY_MALFORMED, /* neither SubjectPublicKeyInfo nor RSAPublicKey / not 32 octets */
	PUBKEY_TOO_LARGE, /* RSA over 4096 bits */
	PUBKEY_NO_MEMORY,
};

enum pubkey_error pubkey_new(enum pubkey_algorithm algorithm, struct bytes der_or_raw, struct pubkey **out);
void pubkey_free(struct pubkey *key);
enum pubkey_algorithm pubkey_algorithm(const struct pubkey *key);
unsigned pubkey_bits(const struct pubkey *key);

enum pubkey_verdict { PUBKEY_PENDING, PUBKEY_GOOD, PUBKEY_BAD };

struct pubkey_job {
	struct pubkey_job *next;
	const struct pubkey *key;   /* to be held by the caller until done */
	struct bytes signature;
	uint8_t digest[32];	    /* SHA-256; for Ed25519 (RFC 8463 §3) it is the message itself */
	enum pubkey_verdict verdict;
	void (*done)(struct pubkey_job *job); /* called from crypto_run() */
	void *owner;
};

void crypto_add_pubkey(struct crypto_queue *queue, struct pubkey_job *job);

/* --- the queue ---------------------------------------------------------------------------------- */

/* NULL when memory is out. */
struct crypto_queue *crypto_queue_new(void);
void crypto_queue_free(struct crypto_queue *queue);

/*
 * Run what is queued: every hash job, then full batches of public-key jobs, and, when `idle` (the caller
 * has nothing else to do) or a job has waited past its deadline, those not full too. Stops early at
 * `budget_us` of work. Returns jobs done.
 */
unsigned crypto_run(struct crypto_queue *queue, uint64_t now_us, bool idle, uint32_t budget_us);
/* When a batch that is not full has to be run; UINT64_MAX if nothing waits. */
uint64_t crypto_deadline_us(const struct crypto_queue *queue);
unsigned crypto_pending(const struct crypto_queue *queue);
struct counter_block;
const struct counter_block *crypto_counters(const struct crypto_queue *queue);
