/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), by SSE4.2 and PCLMULQDQ where the CPU has them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of what `seed` covered followed by `data`: start with 0, and
 * crc32c(crc32c(0, a), b) == crc32c(0, a || b). "123456789" gives 0xe3069283.
 */
uint32_t crc32c(uint32_t seed, const void *data, size_t len);
/* The table version, whatever the CPU has; for tests and benchmarks. */
uint32_t crc32c_portable(uint32_t seed, const void *data, size_t len);
