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
#include <immintrin.h>

/*
 * One crc32 instruction takes 3 cycles and one can start each cycle, but consecutive ones depend on
 * each other. So three stretches are read side by side, each of a fixed length, and joined: the
 * checksum of what came before is shifted over the octets that follow by a carry-less
 * multiplication with x^(8 * octets - 33) mod P, which the last crc32 reduces.
 */
#define LONG_OCTETS  1024u
#define SHORT_OCTETS 128u

/* Over one and over two stretches, bits reversed. */
static const struct {
	uint32_t octets, over_one, over_two;
} stretches[] = {
	{LONG_OCTETS, 0x170076fa, 0xa51b6135},
	{SHORT_OCTETS, 0x0d3b6092, 0xb9e02b86},
};

#define TARGET __attribute__((target("sse4.2,pclmul")))

static inline uint64_t load(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

TARGET static inline uint64_t shift(uint64_t crc, uint32_t by)
{
	__m128i product = _mm_clmulepi64_si128(
		_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi32_si128((int32_t)by), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

TARGET static uint32_t crc32c_x86(uint32_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t crc = ~seed;

	for (unsigned s = 0; s < sizeof(stretches) / sizeof(stretches[0]); s++) {
		const uint32_t n = stretches[s].octets;

		for (; len >= 3 * n; len -= 3 * n, p += 3 * n) {
			uint64_t second = 0, third = 0;

			for (uint32_t i = 0; i < n; i += 8) {
				crc = _mm_crc32_u64(crc, load(p + i));
				second = _mm_crc32_u64(second, load(p + n + i));
				third = _mm_crc32_u64(third, load(p + 2 * n + i));
			}
			crc = shift(crc, stretches[s].over_two) ^
			      shift(second, stretches[s].over_one) ^ third;
		}
	}
	for (; len >= 8; len -= 8, p += 8)
		crc = _mm_crc32_u64(crc, load(p));
	for (; len > 0; len--, p++)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t seed, const void *data, size_t len)
{
	/* The CPU model is read by a constructor of the runtime; this is a load and a test. */
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")
		       ? crc32c_x86(seed, data, len)
		       : crc32c_portable(seed, data, len);
}
#else
uint32_t crc32c(uint32_t seed, const void *data, size_t len)
{
	return crc32c_portable(seed, data, len);
}
#endif
