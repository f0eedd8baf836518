/*
 * Eight RSA verifications in the eight 64-bit lanes of AVX-512 IFMA: digits of 52 bits, n < R / 4.
 * Products go by blocks of ten digits, 200 multiplications in 20 accumulators that stay in
 * registers.
 */
#include "auth/crypto/rsa_kernel.h"

#include <immintrin.h>

#define LANES       8
#define DIGIT_BITS  52
#define DIGIT_MASK  ((1ull << DIGIT_BITS) - 1)
#define DIGITS_MAX  80
#define BLOCK       10
#define HASH_BLOCKS 1
#define HASH_ROWS   5 /* digits of 256 bits */
#define SUMS_FIT    1 /* 4 * 80 halves of products in 12 bits above 52 */

/* UBSan finds nothing in vectors, and takes minutes to look at what is unrolled here. */
#define KERNEL                                                                                     \
	__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512ifma,avx512vbmi"),         \
		no_sanitize("undefined")))
#define KERNEL_INLINE KERNEL __attribute__((always_inline)) static inline

typedef uint64_t vec __attribute__((vector_size(64)));

/* --- blocks ---------------------------------------------------------------------------------- */

/* c + the low, the high 52 bits of x y, which both count only their low 52. */
KERNEL_INLINE vec madd_low(vec c, vec x, vec y)
{
	return (vec)_mm512_madd52lo_epu64((__m512i)c, (__m512i)x, (__m512i)y);
}

KERNEL_INLINE vec madd_high(vec c, vec x, vec y)
{
	return (vec)_mm512_madd52hi_epu64((__m512i)c, (__m512i)x, (__m512i)y);
}

/* acc += x * y, y of `rows` digits. */
KERNEL_INLINE void block_multiply(vec *acc, const vec *x, const vec *y, int rows)
{
#pragma GCC unroll 10
	for (int j = 0; j < rows; j++) {
		vec digit = y[j];
#pragma GCC unroll 10
		for (int i = 0; i < BLOCK; i++)
			acc[i + j] = madd_low(acc[i + j], x[i], digit);
#pragma GCC unroll 10
		for (int i = 0; i < BLOCK; i++)
			acc[i + j + 1] = madd_high(acc[i + j + 1], x[i], digit);
	}
}

KERNEL_INLINE void block_square(vec acc[2 * BLOCK], const vec *x)
{
#pragma GCC unroll 10
	for (int j = 1; j < BLOCK; j++) {
		vec digit = x[j];
#pragma GCC unroll 10
		for (int i = 0; i < j; i++) {
			acc[i + j] = madd_low(acc[i + j], x[i], digit);
			acc[i + j + 1] = madd_high(acc[i + j + 1], x[i], digit);
		}
	}
#pragma GCC unroll 20
	for (int i = 0; i < 2 * BLOCK; i++)
		acc[i] += acc[i];
#pragma GCC unroll 10
	for (int i = 0; i < BLOCK; i++) {
		acc[2 * i] = madd_low(acc[2 * i], x[i], x[i]);
		acc[2 * i + 1] = madd_high(acc[2 * i + 1], x[i], x[i]);
	}
}

KERNEL_INLINE void block_reduce(vec acc[2 * BLOCK], const vec *q, const vec *n)
{
	block_multiply(acc, q, n, BLOCK);
}

/* What the digit after next waits for, and all that later ones do. */
KERNEL_INLINE void add_early(vec *acc, vec digit, const vec *n)
{
	acc[2] = madd_low(acc[2], digit, n[2]);
	acc[2] = madd_high(acc[2], digit, n[1]);
}

KERNEL_INLINE void add_late(vec *acc, vec digit, const vec *n)
{
#pragma GCC unroll 10
	for (int j = 3; j < BLOCK; j++)
		acc[j] = madd_low(acc[j], digit, n[j]);
#pragma GCC unroll 10
	for (int j = 2; j < BLOCK; j++)
		acc[j + 1] = madd_high(acc[j + 1], digit, n[j]);
}

/*
 * Ten digits of q so that the column vanishes mod 2^520. lo(q n0) is never computed: it only rounds
 * acc[i] up to a multiple of 2^52. Each digit waits for the one before, and the CPU prefers what
 * comes first: so a digit's late products come after the next digit's first.
 */
KERNEL_INLINE void reduce_column(vec acc[2 * BLOCK], vec *q, const vec *n, vec k0)
{
	const vec zero = {0};
	vec last = {0};
#pragma GCC unroll 10
	for (int i = 0; i < BLOCK; i++) {
		vec digit = q[i] = madd_low(zero, acc[i], k0);
		vec carry = (acc[i] + DIGIT_MASK) >> DIGIT_BITS;
		if (i > 0)
			add_early(acc + i - 1, last, n);
		acc[i + 1] =
			madd_high(acc[i + 1] + carry, digit, n[0]) + madd_low(zero, digit, n[1]);
		if (i > 0)
			add_late(acc + i - 1, last, n);
		last = digit;
	}
	add_early(acc + BLOCK - 1, last, n);
	add_late(acc + BLOCK - 1, last, n);
}

/* --- numbers into lanes ---------------------------------------------------------------------- */

/* Digits at..at + 7 of a big-endian number; two digits are 13 octets. */
KERNEL_INLINE vec eight_digits(struct bytes number, unsigned at)
{
	/* 64 octets end with the lowest; where those of a digit are, the last first. */
#define WINDOW(o) 63 - (o), 62 - (o), 61 - (o), 60 - (o), 59 - (o), 58 - (o), 57 - (o), 56 - (o)
	static const uint8_t windows[64] __attribute__((aligned(64))) = {WINDOW(0), WINDOW(6),
		WINDOW(13), WINDOW(19), WINDOW(26), WINDOW(32), WINDOW(39), WINDOW(45)};
#undef WINDOW
	const size_t below = at * DIGIT_BITS / 8,
		     left = number.len > below ? number.len - below : 0;
	const __mmask64 there = left >= 64 ? ~0ull : ~(~0ull >> left);
	__m512i octets = _mm512_maskz_loadu_epi8(there, number.data + left - 64);
	vec words = (vec)_mm512_permutexvar_epi8(_mm512_load_si512(windows), octets);
	return words >> (vec){0, 4, 0, 4, 0, 4, 0, 4} & DIGIT_MASK;
}

KERNEL_INLINE vec lanes128(vec x, vec y, bool odd)
{
	return odd ? (vec)_mm512_shuffle_i64x2((__m512i)x, (__m512i)y, 0xdd)
		   : (vec)_mm512_shuffle_i64x2((__m512i)x, (__m512i)y, 0x88);
}

/* Eight digits of eight numbers to eight vectors. */
KERNEL_INLINE void transpose8(vec *out, vec r[8])
{
	vec s[8];
#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2) {
		s[i] = (vec)_mm512_unpacklo_epi64((__m512i)r[i], (__m512i)r[i + 1]);
		s[i + 1] = (vec)_mm512_unpackhi_epi64((__m512i)r[i], (__m512i)r[i + 1]);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 2; i++) {
		r[i] = lanes128(s[i], s[i + 2], false);
		r[i + 2] = lanes128(s[i], s[i + 2], true);
		r[i + 4] = lanes128(s[i + 4], s[i + 6], false);
		r[i + 6] = lanes128(s[i + 4], s[i + 6], true);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		out[i] = lanes128(r[i], r[i + 4], false);
		out[i + 4] = lanes128(r[i], r[i + 4], true);
	}
}

KERNEL static void load_rows(vec *out, const uint64_t *const rows[LANES], unsigned digits)
{
	for (unsigned at = 0; at < digits; at += 8) {
		vec r[8];
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			r[i] = *(const vec *)(rows[i] + at);
		transpose8(out + at, r);
	}
}

KERNEL static void load_octets(vec *out, const struct bytes numbers[LANES], unsigned digits)
{
	for (unsigned at = 0; at < digits; at += 8) {
		vec r[8];
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			r[i] = eight_digits(numbers[i], at);
		transpose8(out + at, r);
	}
}

/* --- the modulus is n itself ----------------------------------------------------------------- */

static void scale_modulus(uint64_t *row, uint64_t *n, uint64_t k0, unsigned digits)
{
	(void)k0;
	memcpy(row, n, digits * sizeof(row[0]));
}

static void scale_row(uint64_t *row, uint64_t k0, unsigned digits)
{
	(void)row, (void)k0, (void)digits;
}

KERNEL_INLINE void scale(vec *x, vec k0, unsigned digits)
{
	(void)x, (void)k0, (void)digits;
}

KERNEL static vec differ_from_modulus(const vec *x, const vec *n, unsigned digits)
{
	vec differ = {0};
	for (unsigned i = 0; i < digits; i++)
		differ |= x[i] ^ n[i];
	return differ;
}

#include "auth/crypto/rsa_lanes_priv.h"

const struct rsa_kernel rsa_ifma = {
	.name = "avx512-ifma",
	.lanes = LANES,
	.class = {{20, 1038, 1, 5000}, {40, 2078, 1, 16000}, {60, 3118, 1, 32000},
		{80, 4158, 1, 56000}},
	.key_new = rsa_lanes_key_new,
	.verify = rsa_lanes_verify,
};
