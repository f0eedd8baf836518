#pragma once

#include "auth/crypto/rsa_batch.h"

/*
 * Eight RSA verifications side by side by AVX-512 IFMA. Only where crypto_cpu.avx512_ifma; keys
 * with exponent 65537, an odd modulus of RSA_IFMA_MIN_BITS to 52 * digits - 2 bits.
 */

#define RSA_IFMA_LANES      8
#define RSA_IFMA_MAX_DIGITS 80
#define RSA_IFMA_MIN_BITS   512 /* below it the padding does not fit */

/* Constants of one key for `digits` 52-bit digits (20, 40, 60, 80); free() them. */
struct rsa_ifma_key;
struct rsa_ifma_key *rsa_ifma_key_new(const struct pubkey *key, unsigned digits);

/* Sets the verdicts of n jobs, 1 to 8, whose keys all have constants of that many digits. */
void rsa_ifma_verify(unsigned digits, struct pubkey_job *const jobs[RSA_IFMA_LANES], unsigned n);
