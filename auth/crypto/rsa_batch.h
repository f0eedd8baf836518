#pragma once

#include "auth/crypto/rsa_kernel.h"

/* RSA verifications side by side, by the best kernel that this CPU has. */

#define RSA_BATCH_MAX RSA_KERNEL_LANES_MAX

/* The size class of a key; CRYPTO_LANE_RSA_ONE where no batch takes its form. */
enum crypto_lane rsa_batch_lane(unsigned bits, uint64_t exponent, bool odd);
/* Signatures of that class that are verified side by side; 1: none. */
unsigned rsa_batch_size(enum crypto_lane lane);
/* A batch of fewer is slower than OpenSSL, one by one. */
unsigned rsa_batch_worth(enum crypto_lane lane);
/* What n jobs of any lane take, about, on this path; for budgets, so that no clock is read. */
uint32_t rsa_batch_cost_ns(enum crypto_lane lane, unsigned n);
/* What the batch code keeps of a key of a class with rsa_batch_size() > 1; free() it. NULL when
 * memory is out. */
void *rsa_batch_constants_new(const struct pubkey *key);
/* Sets the verdicts of n jobs, all of them of `lane`. */
void rsa_batch_verify(
	enum crypto_lane lane, struct pubkey_job *const jobs[RSA_BATCH_MAX], unsigned n);
