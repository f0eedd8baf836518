#include "auth/crypto/rsa_batch.h"

#include "auth/crypto/crypto_cpu.h"
#include "auth/crypto/rsa_ifma.h"

#define BATCHED_EXPONENT 65537

static unsigned digits_of(enum crypto_lane lane)
{
	return 20 * (lane - CRYPTO_LANE_RSA_20 + 1);
}

enum crypto_lane rsa_batch_lane(unsigned bits, uint64_t exponent, bool odd)
{
	if (exponent == BATCHED_EXPONENT && odd && bits >= RSA_IFMA_MIN_BITS)
		for (enum crypto_lane lane = CRYPTO_LANE_RSA_20; lane < CRYPTO_LANE_RSA_ONE; lane++)
			if (bits <= 52 * digits_of(lane) - 2)
				return lane;
	return CRYPTO_LANE_RSA_ONE;
}

unsigned rsa_batch_size(enum crypto_lane lane)
{
	return lane < CRYPTO_LANE_RSA_ONE && crypto_cpu.avx512_ifma ? RSA_IFMA_LANES : 1;
}

void *rsa_batch_constants_new(const struct pubkey *key)
{
	return rsa_ifma_key_new(key, digits_of(key->lane));
}

void rsa_batch_verify(
	enum crypto_lane lane, struct pubkey_job *const jobs[RSA_BATCH_MAX], unsigned n)
{
	rsa_ifma_verify(digits_of(lane), jobs, n);
}
