#pragma once

#include "auth/crypto/crypto.h"

typedef void (*sha256_blocks_fn)(uint32_t h[8], const uint8_t *data, size_t blocks);

extern const uint32_t sha256_k[64];

/* The best for this CPU. */
extern sha256_blocks_fn sha256_blocks;

void sha256_blocks_plain(uint32_t h[8], const uint8_t *data, size_t blocks);
/* Only where the CPU has SHA-NI. */
void sha256_blocks_ni(uint32_t h[8], const uint8_t *data, size_t blocks);
