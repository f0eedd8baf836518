#pragma once

#include "auth/crypto/crypto.h"

/* Streams hashed side by side: see hash_batch.c. */

#define HASH_BATCH_MAX 16

/* In front of what a job writes: room for the octets left over from before, so that blocks go on
 * without a seam. */
#define HASH_LEFT_OVER 64

struct hash_batch {
	uint8_t scratch[HASH_BATCH_MAX][HASH_LEFT_OVER + HASH_SCRATCH] __attribute__((aligned(64)));
};

/* Pull and hash all that the jobs have, n <= HASH_BATCH_MAX. Returns the octets hashed. */
uint64_t hash_batch_run(struct hash_batch *batch, struct hash_job *const jobs[], unsigned n);
