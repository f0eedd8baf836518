#include "base/crc32c.h"

#include <string.h>

/* The polynomial 0x1edc6f41, bits reversed. */
#define CRC32C_POLY UINT32_C(0x82f63b78)

#define T1(n)  (((n) >> 1) ^ (((n)&1) ? CRC32C_POLY : 0))
#define T2(n)  T1(T1(n))
#define T4(n)  T2(T2(n))
#define E1(n)  T4((uint32_t)(n))
#define E4(n)  E1(n), E1((n) + 1), E1((n) + 2), E1((n) + 3)
#define E16(n) E4(n), E4((n) + 4), E4((n) + 8), E4((n) + 12)

/* A nibble at a time: a table of 16 that the compiler can check, fast enough for a fallback. */
static const uint32_t nibble_table[16] = {E16(0)};

uint32_t crc32c_portable(uint32_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = ~seed;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibble_table[crc & 15];
		crc = crc >> 4 ^ nibble_table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)
/*
 * One crc32 instruction takes 3 cycles and one can start each cycle, but consecutive ones depend on
 * each other: 8 octets in 3 cycles. That is far above what any disk here takes, so no three-way
 * interleaving with its tables of shifts.
 */
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(
	uint32_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t crc = ~seed;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		crc = __builtin_ia32_crc32di(crc, word);
	}
	for (; len > 0; len--, p++)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t seed, const void *data, size_t len)
{
	/* The CPU model is read by a constructor of the runtime; this is a load and a test. */
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(seed, data, len)
						: crc32c_portable(seed, data, len);
}
#else
uint32_t crc32c(uint32_t seed, const void *data, size_t len)
{
	return crc32c_portable(seed, data, len);
}
#endif
