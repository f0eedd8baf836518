#pragma once

#include "auth/crypto/pubkey_priv.h"

/*
 * RSASSA-PKCS1-v1_5 verification with SHA-256 (RFC 8017 §8.2.2), several signatures side by side in
 * the lanes of vector registers. Keys have exponent 65537 and an odd modulus of RSA_KERNEL_MIN_BITS
 * or more. What two kernels have in common stands in rsa_lanes_priv.h.
 */

#define RSA_KERNEL_LANES_MAX 8
#define RSA_KERNEL_CLASSES   4   /* CRYPTO_LANE_RSA_1024 to _4096 */
#define RSA_KERNEL_MIN_BITS  512 /* below it the padding does not fit */

struct rsa_kernel {
	const char *name;
	unsigned lanes;
	struct rsa_kernel_class {
		unsigned digits;
		unsigned max_bits;
		/*
		 * Jobs from which a batch, which always costs the same, is faster than OpenSSL one
		 * by one: `postern-micro rsa-SIZE-FILL`.
		 */
		unsigned worth;
		/* What such a batch takes, about, for budgets: `postern-micro rsa-SIZE`, rounded
		 * up. */
		uint32_t batch_ns;
	} class[RSA_KERNEL_CLASSES];
	/* Constants of one key in numbers of so many digits; free() them. NULL: no memory. */
	void *(*key_new)(const struct pubkey *key, unsigned digits);
	/* Sets the verdicts of n jobs, 1 to `lanes`, whose keys all have constants of that size. */
	void (*verify)(unsigned digits, struct pubkey_job *const *jobs, unsigned n);
};

/* Only where crypto_cpu.avx512_ifma, .avx2. */
extern const struct rsa_kernel rsa_ifma, rsa_avx2;
