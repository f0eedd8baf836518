#pragma once

#include "auth/crypto/pubkey_priv.h"
#include "auth/crypto/rsa_batch.h"

#include <openssl/bn.h>

/* For tests and fuzzers: RSA keys of any size in no time, and signatures wrong in every way that is
 * known to matter. */

enum rsa_testing_kind {
	RSA_TESTING_RIGHT,
	RSA_TESTING_BIT_FLIPPED,
	RSA_TESTING_OTHER_DIGEST,
	RSA_TESTING_RANDOM,
	RSA_TESTING_ZERO,
	RSA_TESTING_ONE,
	RSA_TESTING_MODULUS, /* s = n */
	RSA_TESTING_MODULUS_LESS_1,
	RSA_TESTING_PLUS_MODULUS,  /* right, but s + n where that fits */
	RSA_TESTING_NEGATED,       /* n - s */
	RSA_TESTING_SHORT,         /* the last octet is missing */
	RSA_TESTING_LONG,          /* a zero in front */
	RSA_TESTING_NO_NULL,       /* DigestInfo without its NULL */
	RSA_TESTING_GARBAGE_AFTER, /* little padding, octets after the digest */
	RSA_TESTING_BLOCK_TYPE_2,
	RSA_TESTING_PADDING_BROKEN, /* one octet of it is not ff */
	RSA_TESTING_NO_SEPARATOR,
	RSA_TESTING_RIGHT_AGAIN,
	RSA_TESTING_KINDS
};

#define RSA_TESTING_DER_MAX (RSA_MAX_OCTETS + 72)

/* Private operations are dear: each kind of encoding is signed once a key, and seldom again. */
struct rsa_testing {
	BIGNUM *n, *d;
	struct pubkey *key;
	uint8_t der[RSA_TESTING_DER_MAX];
	size_t der_len;
	bool is_signed[RSA_TESTING_KINDS];
	uint8_t digest[RSA_TESTING_KINDS][32];
	uint8_t signature[RSA_TESTING_KINDS][RSA_MAX_OCTETS];
};

#define RSA_TESTING_AGAIN 4096 /* one in so many */

uint64_t rsa_testing_random(uint64_t *seed);
void rsa_testing_bytes(uint8_t *out, size_t len, uint64_t *seed);

/* Aborts where there is no memory. */
void rsa_testing_init(struct rsa_testing *key, unsigned bits, uint64_t exponent, uint64_t *seed);
void rsa_testing_fini(struct rsa_testing *key);
/* The same key parsed anew, by the path in use; pubkey_free() it. */
struct pubkey *rsa_testing_pubkey(const struct rsa_testing *key);
/* Room for RSA_MAX_OCTETS + 8; returns the length. `digest` is set to what is to be verified. */
size_t rsa_testing_sign(struct rsa_testing *key, enum rsa_testing_kind kind, uint8_t digest[32],
	uint8_t *out, uint64_t *seed);
