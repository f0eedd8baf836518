/*
 * Four RSA verifications in the four 64-bit lanes of AVX2: digits of 28 bits, so that sums of 256
 * products fit in a lane. Products go by blocks of four digits, with their sums in eight registers.
 *
 * The modulus is m = k n = -1 mod 2^28, with k = -1/n mod 2^28. A digit q of a reduction is then
 * the lowest digit of the sum as it is, and with N = (m + 1) / 2^28, kept in place of m,
 *
 *	(t + q m) / 2^28 = (t - q) / 2^28 + q N
 *
 * which saves two products, and the wait for them, a digit. m is 28 bits longer than n.
 */
#include "auth/crypto/rsa_kernel.h"

#include <assert.h>
#include <immintrin.h>

#define LANES       4
#define DIGIT_BITS  28
#define DIGIT_MASK  ((1ull << DIGIT_BITS) - 1)
#define DIGITS_MAX  148
#define BLOCK       4
#define HASH_BLOCKS 3 /* 256 bits */
#define HASH_ROWS   BLOCK
#define SUMS_FIT    0 /* 2 * 148 products in 8 bits above 56 */

/* UBSan finds nothing in vectors, and takes minutes to look at what is unrolled here. */
#define KERNEL        __attribute__((target("avx2,bmi2"), no_sanitize("undefined")))
#define KERNEL_INLINE KERNEL __attribute__((always_inline)) static inline

typedef uint64_t vec __attribute__((vector_size(32)));

/* A sum has a product for each digit, of the number and of the hash, another number, and carries.
 */
static_assert(
	DIGITS_MAX + HASH_BLOCKS * BLOCK + 2 <= 1 << (64 - 2 * DIGIT_BITS), "sums of products fit");

/* --- blocks ---------------------------------------------------------------------------------- */

/* The product of the low 32 bits of each lane. */
KERNEL_INLINE vec times(vec x, vec y)
{
	return (vec)_mm256_mul_epu32((__m256i)x, (__m256i)y);
}

/* In this order: else the compiler adds products to each other first, and runs out of registers. */
KERNEL_INLINE vec plus(vec x, vec y)
{
	x += y;
	__asm__("" : "+x"(x));
	return x;
}

/* acc += x * y, y of `rows` digits. */
KERNEL_INLINE void block_multiply(vec *acc, const vec *x, const vec *y, int rows)
{
#pragma GCC unroll 10
	for (int j = 0; j < rows; j++) {
		vec digit = y[j];
#pragma GCC unroll 10
		for (int i = 0; i < BLOCK; i++)
			acc[i + j] = plus(acc[i + j], times(x[i], digit));
	}
}

KERNEL_INLINE void block_square(vec acc[2 * BLOCK], const vec *x)
{
#pragma GCC unroll 10
	for (int j = 1; j < BLOCK; j++) {
		vec digit = x[j] + x[j];
#pragma GCC unroll 10
		for (int i = 0; i < j; i++)
			acc[i + j] = plus(acc[i + j], times(x[i], digit));
	}
#pragma GCC unroll 10
	for (int i = 0; i < BLOCK; i++)
		acc[2 * i] = plus(acc[2 * i], times(x[i], x[i]));
}

KERNEL_INLINE void block_reduce(vec acc[2 * BLOCK], const vec *q, const vec *n)
{
	block_multiply(acc + 1, n, q, BLOCK);
}

/* Four digits of q so that the column vanishes mod 2^112. */
KERNEL_INLINE void reduce_column(vec acc[2 * BLOCK], vec *q, const vec *n, vec k0)
{
	(void)k0;
#pragma GCC unroll 10
	for (int i = 0; i < BLOCK; i++) {
		vec digit = q[i] = acc[i] & DIGIT_MASK;
		acc[i + 1] += (acc[i] >> DIGIT_BITS) + times(digit, n[0]);
#pragma GCC unroll 10
		for (int j = 1; j < BLOCK; j++)
			acc[i + j + 1] = plus(acc[i + j + 1], times(digit, n[j]));
	}
}

/* --- numbers into lanes ---------------------------------------------------------------------- */

/* Four digits of four numbers to four vectors. */
KERNEL static void load_rows(vec *out, const uint64_t *const rows[LANES], unsigned digits)
{
	for (unsigned at = 0; at < digits; at += 4) {
		__m256i r[4], s[4];
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			r[i] = _mm256_load_si256((const __m256i *)(rows[i] + at));
#pragma GCC unroll 2
		for (int i = 0; i < 4; i += 2) {
			s[i] = _mm256_unpacklo_epi64(r[i], r[i + 1]);
			s[i + 1] = _mm256_unpackhi_epi64(r[i], r[i + 1]);
		}
#pragma GCC unroll 2
		for (int i = 0; i < 2; i++) {
			out[at + i] = (vec)_mm256_permute2x128_si256(s[i], s[i + 2], 0x20);
			out[at + i + 2] = (vec)_mm256_permute2x128_si256(s[i], s[i + 2], 0x31);
		}
	}
}

/* Digits 2 i and 2 i + 1 of a big-endian number: seven octets. */
static uint64_t two_digits(struct bytes number, size_t i)
{
	size_t below = 7 * i, left = number.len > below ? number.len - below : 0;
	uint64_t word = 0;
	if (left >= 8) {
		memcpy(&word, number.data + left - 8, 8);
		return __builtin_bswap64(word);
	}
	for (size_t k = 0; k < left; k++)
		word = word << 8 | number.data[k];
	return word;
}

KERNEL static void load_octets(vec *out, const struct bytes numbers[LANES], unsigned digits)
{
	for (unsigned i = 0; 2 * i < digits; i++) {
		vec words = {two_digits(numbers[0], i), two_digits(numbers[1], i),
			two_digits(numbers[2], i), two_digits(numbers[3], i)};
		out[2 * i] = words & DIGIT_MASK;
		out[2 * i + 1] = words >> DIGIT_BITS & DIGIT_MASK;
	}
}

/* --- the modulus is a multiple of n ---------------------------------------------------------- */

/* x = k x */
static void scale_row(uint64_t *x, uint64_t k, unsigned digits)
{
	uint64_t carry = 0;
	for (unsigned i = 0; i < digits; i++) {
		carry += x[i] * k;
		x[i] = carry & DIGIT_MASK;
		carry >>= DIGIT_BITS;
	}
}

KERNEL_INLINE void scale(vec *x, vec k, unsigned digits)
{
	vec carry = {0};
	for (unsigned i = 0; i < digits; i++) {
		carry += times(x[i], k);
		x[i] = carry & DIGIT_MASK;
		carry >>= DIGIT_BITS;
	}
}

/* n becomes m = k n, and row N = (m + 1) / 2^28. */
static void scale_modulus(uint64_t *row, uint64_t *n, uint64_t k, unsigned digits)
{
	scale_row(n, k, digits);
	uint64_t carry = 1; /* out of the lowest digit, which is all ones */
	for (unsigned i = 1; i < digits; i++) {
		carry += n[i];
		row[i - 1] = carry & DIGIT_MASK;
		carry >>= DIGIT_BITS;
	}
}

/* x = m is x + 1 = 2^28 N. */
KERNEL static vec differ_from_modulus(const vec *x, const vec *n, unsigned digits)
{
	vec carry = (vec){0} + 1, differ = {0};
	for (unsigned i = 0; i < digits; i++) {
		carry += x[i];
		differ |= (carry & DIGIT_MASK) ^ (i ? n[i - 1] : (vec){0});
		carry >>= DIGIT_BITS;
	}
	return differ;
}

#include "auth/crypto/rsa_lanes_priv.h"

/* m < R / 4 takes two bits, and k the 28. */
const struct rsa_kernel rsa_avx2 = {
	.name = "avx2",
	.lanes = LANES,
	.class = {{40, 1038, 2, 10000}, {76, 2078, 2, 35000}, {112, 3106, 2, 70000},
		{148, 4114, 2, 115000}},
	.key_new = rsa_lanes_key_new,
	.verify = rsa_lanes_verify,
};
