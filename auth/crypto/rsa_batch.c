#include "auth/crypto/rsa_batch.h"

#define BATCHED_EXPONENT 65537

enum crypto_lane rsa_batch_lane(unsigned bits, uint64_t exponent, bool odd)
{
	static const unsigned max_bits[] = {1038, 2078, 3118, 4158};
	if (exponent == BATCHED_EXPONENT && odd)
		for (unsigned i = 0; i < sizeof(max_bits) / sizeof(max_bits[0]); i++)
			if (bits <= max_bits[i])
				return (enum crypto_lane)(CRYPTO_LANE_RSA_20 + i);
	return CRYPTO_LANE_RSA_ONE;
}

unsigned rsa_batch_size(enum crypto_lane lane)
{
	(void)lane;
	return 1;
}

void *rsa_batch_constants_new(const struct pubkey *key)
{
	(void)key;
	return NULL;
}

void rsa_batch_verify(
	enum crypto_lane lane, struct pubkey_job *const jobs[RSA_BATCH_MAX], unsigned n)
{
	(void)lane, (void)jobs, (void)n;
}
