#pragma once

#include "auth/crypto/crypto.h"

#include <openssl/evp.h>

#define RSA_MAX_OCTETS (PUBKEY_MAX_RSA_BITS / 8)

/*
 * Queues by algorithm and cost. In the batched ones a batch is of one size class: keys whose
 * modulus fits the same number of digits, which is a little more than the class is named for.
 */
enum crypto_lane {
	CRYPTO_LANE_RSA_1024, /* 512 bits and more */
	CRYPTO_LANE_RSA_2048,
	CRYPTO_LANE_RSA_3072,
	CRYPTO_LANE_RSA_4096,
	CRYPTO_LANE_RSA_ONE, /* by OpenSSL, one by one */
	CRYPTO_LANE_ED25519,
	CRYPTO_LANES
};

struct pubkey {
	enum pubkey_algorithm algorithm;
	enum crypto_lane lane;
	unsigned bits;
	EVP_PKEY *evp;
	void *batch; /* constants of the lane's batch code; NULL where there is none */
	uint64_t exponent;
	size_t n_len;
	uint8_t n[RSA_MAX_OCTETS]; /* modulus, big-endian, no leading zero */
};
