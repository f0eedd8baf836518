#include "auth/crypto/hash_batch.h"

uint64_t hash_batch_run(struct hash_batch *batch, struct hash_job *const jobs[], unsigned n)
{
	uint64_t octets = 0;
	for (unsigned i = 0; i < n; i++) {
		struct bytes piece;
		while (jobs[i]->pull(jobs[i], batch->scratch[0], &piece)) {
			sha256_update(&jobs[i]->state, piece);
			octets += piece.len;
		}
	}
	return octets;
}
