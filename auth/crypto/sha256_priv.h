#pragma once

#include "auth/crypto/crypto.h"

typedef void (*sha256_blocks_fn)(uint32_t h[8], const uint8_t *data, size_t blocks);

extern const uint32_t sha256_k[64];

/* The best for this CPU. */
extern sha256_blocks_fn sha256_blocks;

void sha256_blocks_openssl(uint32_t h[8], const uint8_t *data, size_t blocks);
/* Only where the CPU has SHA-NI. */
void sha256_blocks_ni(uint32_t h[8], const uint8_t *data, size_t blocks);

/* `n` streams side by side, `blocks` of each. */
typedef void (*sha256_lanes_fn)(
	uint32_t *const h[], const uint8_t *const data[], unsigned n, size_t blocks);

#define SHA256_NI_LANES     4
#define SHA256_AVX512_LANES 16

/* n up to SHA256_NI_LANES; only where the CPU has SHA-NI. */
void sha256_lanes_ni(uint32_t *const h[], const uint8_t *const data[], unsigned n, size_t blocks);
/* n up to SHA256_AVX512_LANES; only where crypto_cpu.avx512. */
void sha256_lanes_avx512(
	uint32_t *const h[], const uint8_t *const data[], unsigned n, size_t blocks);
