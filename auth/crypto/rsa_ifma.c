/*
 * RSASSA-PKCS1-v1_5 verification (RFC 8017 §8.2.2), eight signatures in the eight 64-bit lanes.
 *
 * A number is nd vectors of 52-bit digits, R = 2^(52 nd), n < R / 4. Almost-Montgomery products:
 *inputs below 2n give outputs below 2n. No number is brought into or out of Montgomery form:
 *sixteen squarings of the raw s give y = s^65536 R^-65535, and with
 *
 *	E = R^-65535 mod n, B = n - E, A = -PAD E mod n (of the key), H = the digest
 *
 * (y s + A + H B) / R is 0 or n exactly when s^65537 = PAD + H mod n, PAD being the whole encoded
 *message with a digest of zeros: nothing of it is parsed. All inputs are public, so time may depend
 *on them.
 *
 * Products go by blocks of ten digits, 200 multiplications in 20 accumulators that stay in
 *registers; the loops over blocks stay loops (unrolling those too overflows the instruction cache).
 */
#include "auth/crypto/rsa_ifma.h"

#include <immintrin.h>
#include <stdlib.h>

#define DIGIT_BITS  52
#define DIGIT_MASK  ((1ull << DIGIT_BITS) - 1)
#define BLOCK       10
#define BLOCKS_MAX  (RSA_IFMA_MAX_DIGITS / BLOCK)
#define HASH_DIGITS 5 /* of 256 bits */

/* A key's rows are padded to whole transposes. */
#define ROW_MAX        RSA_IFMA_MAX_DIGITS
#define ROW_OF(digits) (((digits) + 7u) & ~7u)

/* Sanitizers would watch each of the thousands of steps that are unrolled here. */
#define IFMA                                                                                       \
	__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512ifma,avx512vbmi"),         \
		no_sanitize("address", "undefined")))
#define IFMA_INLINE IFMA __attribute__((always_inline)) static inline

typedef __m512i vec;

struct rsa_ifma_key {
	uint64_t k0;                                    /* -1/n mod 2^52 */
	uint64_t digits[] __attribute__((aligned(64))); /* rows n, A, B */
};

enum { KEY_N, KEY_A, KEY_B, KEY_ROWS };

/* The eight numbers of one batch, digit by digit. */
struct batch {
	unsigned blocks;
	vec k0;
	vec n[ROW_MAX], a[ROW_MAX], b[ROW_MAX];
	vec s[ROW_MAX], y[ROW_MAX], q[ROW_MAX];
	vec t[2 * ROW_MAX];
	vec h[HASH_DIGITS];
};

/* --- blocks ---------------------------------------------------------------------------------- */

#define LO(c, x, y) ((c) = _mm512_madd52lo_epu64((c), (x), (y)))
#define HI(c, x, y) ((c) = _mm512_madd52hi_epu64((c), (x), (y)))

/* acc += x * y, y of `rows` digits. */
IFMA_INLINE void block_multiply(vec acc[2 * BLOCK], const vec *x, const vec *y, int rows)
{
#pragma GCC unroll 10
	for (int j = 0; j < rows; j++) {
		vec digit = y[j];
#pragma GCC unroll 10
		for (int i = 0; i < BLOCK; i++)
			LO(acc[i + j], x[i], digit);
#pragma GCC unroll 10
		for (int i = 0; i < BLOCK; i++)
			HI(acc[i + j + 1], x[i], digit);
	}
}

IFMA_INLINE void block_square(vec acc[2 * BLOCK], const vec *x)
{
#pragma GCC unroll 10
	for (int j = 1; j < BLOCK; j++) {
		vec digit = x[j];
#pragma GCC unroll 10
		for (int i = 0; i < j; i++) {
			LO(acc[i + j], x[i], digit);
			HI(acc[i + j + 1], x[i], digit);
		}
	}
#pragma GCC unroll 20
	for (int i = 0; i < 2 * BLOCK; i++)
		acc[i] = _mm512_add_epi64(acc[i], acc[i]);
#pragma GCC unroll 10
	for (int i = 0; i < BLOCK; i++) {
		LO(acc[2 * i], x[i], x[i]);
		HI(acc[2 * i + 1], x[i], x[i]);
	}
}

IFMA_INLINE void clear(vec acc[2 * BLOCK])
{
#pragma GCC unroll 20
	for (int i = 0; i < 2 * BLOCK; i++)
		acc[i] = _mm512_setzero_si512();
}

/* The column is done: its upper half is the start of the next. */
IFMA_INLINE void shift(vec acc[2 * BLOCK])
{
#pragma GCC unroll 10
	for (int i = 0; i < BLOCK; i++) {
		acc[i] = acc[i + BLOCK];
		acc[i + BLOCK] = _mm512_setzero_si512();
	}
}

/* --- numbers --------------------------------------------------------------------------------- */

/* t = y^2; digits of t are sums, not yet carried. */
IFMA static void square(struct batch *w)
{
	const unsigned blocks = w->blocks;
	vec acc[2 * BLOCK];

	for (unsigned i = 0; i < blocks; i++) {
		clear(acc);
		block_square(acc, w->y + BLOCK * i);
#pragma GCC unroll 20
		for (int k = 0; k < 2 * BLOCK; k++)
			w->t[2 * BLOCK * i + (unsigned)k] = acc[k];
	}
	clear(acc);
	for (unsigned column = 1; column < 2 * blocks; column++) {
		unsigned i = column < blocks ? 0 : column - blocks + 1;
		for (; 2 * i < column; i++)
			block_multiply(acc, w->y + BLOCK * i, w->y + BLOCK * (column - i), BLOCK);
		vec *t = w->t + BLOCK * column;
#pragma GCC unroll 10
		for (int k = 0; k < BLOCK; k++)
			t[k] = _mm512_add_epi64(t[k], _mm512_add_epi64(acc[k], acc[k]));
		shift(acc);
	}
}

/* t = x * y + add + h * b, where `add` is given. */
IFMA static void multiply(struct batch *w, const vec *x, const vec *y, const vec *add)
{
	const unsigned blocks = w->blocks;
	vec acc[2 * BLOCK];

	clear(acc);
	for (unsigned column = 0; column < 2 * blocks; column++) {
		unsigned i = column < blocks ? 0 : column - blocks + 1;
		unsigned end = column < blocks ? column + 1 : blocks;
		for (; i < end; i++)
			block_multiply(acc, x + BLOCK * i, y + BLOCK * (column - i), BLOCK);
		if (add && column < blocks) {
			block_multiply(acc, w->b + BLOCK * column, w->h, HASH_DIGITS);
#pragma GCC unroll 10
			for (int k = 0; k < BLOCK; k++)
				acc[k] =
					_mm512_add_epi64(acc[k], add[BLOCK * column + (unsigned)k]);
		}
#pragma GCC unroll 10
		for (int k = 0; k < BLOCK; k++)
			w->t[BLOCK * column + (unsigned)k] = acc[k];
		shift(acc);
	}
}

/*
 * Ten digits of q so that the column vanishes mod 2^520. Digit i is final once those below are
 * done; the two terms that the next digit waits for come first. lo(q n0) is never
 * computed: it only rounds acc[i] up to a multiple of 2^52.
 */
IFMA_INLINE void reduce_column(vec acc[2 * BLOCK], vec *q, const vec *n, vec k0)
{
	const vec zero = _mm512_setzero_si512(), round = _mm512_set1_epi64((long long)DIGIT_MASK);
	vec last = zero;
#pragma GCC unroll 11
	for (int i = 0; i <= BLOCK; i++) {
		vec digit = zero;
		if (i < BLOCK) {
			digit = _mm512_madd52lo_epu64(zero, acc[i], k0);
			vec carry = _mm512_srli_epi64(_mm512_add_epi64(acc[i], round), DIGIT_BITS);
			q[i] = digit;
			if (i > 0) {
				LO(acc[i + 1], last, n[2]);
				HI(acc[i + 1], last, n[1]);
			}
			acc[i + 1] = _mm512_add_epi64(
				_mm512_madd52hi_epu64(
					_mm512_add_epi64(acc[i + 1], carry), digit, n[0]),
				_mm512_madd52lo_epu64(zero, digit, n[1]));
		} else {
			LO(acc[i + 1], last, n[2]);
			HI(acc[i + 1], last, n[1]);
		}
		if (i > 0) {
#pragma GCC unroll 10
			for (int j = 3; j < BLOCK; j++)
				LO(acc[i - 1 + j], last, n[j]);
#pragma GCC unroll 10
			for (int j = 2; j < BLOCK; j++)
				HI(acc[i + j], last, n[j]);
		}
		last = digit;
	}
}

/* out = t / R mod n, below 2n, every digit below 2^52. */
IFMA static void reduce(struct batch *w, vec *out)
{
	const unsigned blocks = w->blocks;
	const vec mask = _mm512_set1_epi64((long long)DIGIT_MASK);
	vec acc[2 * BLOCK], carry = _mm512_setzero_si512();

	clear(acc);
	for (unsigned column = 0; column < 2 * blocks; column++) {
		const vec *t = w->t + BLOCK * column;
#pragma GCC unroll 10
		for (int k = 0; k < BLOCK; k++)
			acc[k] = _mm512_add_epi64(acc[k], t[k]);
		unsigned i = column < blocks ? 0 : column - blocks + 1;
		unsigned end = column < blocks ? column : blocks;
		for (; i < end; i++)
			block_multiply(acc, w->q + BLOCK * i, w->n + BLOCK * (column - i), BLOCK);
		if (column < blocks) {
			reduce_column(acc, w->q + BLOCK * column, w->n, w->k0);
			shift(acc);
			continue;
		}
		vec *to = out + BLOCK * (column - blocks);
#pragma GCC unroll 10
		for (int k = 0; k < BLOCK; k++) {
			vec digit = _mm512_add_epi64(acc[k], carry);
			carry = _mm512_srli_epi64(digit, DIGIT_BITS);
			to[k] = _mm512_and_si512(digit, mask);
		}
		shift(acc);
	}
}

/* --- in and out ------------------------------------------------------------------------------ */

/* Digits at..at + 7 of a big-endian number; two digits are 13 octets. */
IFMA_INLINE vec eight_digits(const uint8_t *octets, size_t len, unsigned at)
{
	/* Where the octets of digit i lie that load last: 64 octets end with the lowest of them. */
#define WINDOW(o)                                                                                  \
	(char)(63 - (o)), (char)(62 - (o)), (char)(61 - (o)), (char)(60 - (o)), (char)(59 - (o)),  \
		(char)(58 - (o)), (char)(57 - (o)), (char)(56 - (o))
	static const char windows[64] __attribute__((aligned(64))) = {WINDOW(0), WINDOW(6),
		WINDOW(13), WINDOW(19), WINDOW(26), WINDOW(32), WINDOW(39), WINDOW(45)};
	const size_t below = at * DIGIT_BITS / 8, left = len > below ? len - below : 0;
	const __mmask64 there = left >= 64 ? ~0ull : ~(~0ull >> left);
	vec v = _mm512_maskz_loadu_epi8(there, octets + left - 64);
	v = _mm512_permutexvar_epi8(_mm512_load_si512(windows), v);
	v = _mm512_srlv_epi64(v, _mm512_set_epi64(4, 0, 4, 0, 4, 0, 4, 0));
	return _mm512_and_si512(v, _mm512_set1_epi64((long long)DIGIT_MASK));
}

/* Eight digits of eight numbers to eight vectors. */
IFMA_INLINE void transpose8(vec *out, vec r[8])
{
	vec s[8];
#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2) {
		s[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
		s[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 2; i++) {
		r[i] = _mm512_shuffle_i64x2(s[i], s[i + 2], 0x88);
		r[i + 2] = _mm512_shuffle_i64x2(s[i], s[i + 2], 0xdd);
		r[i + 4] = _mm512_shuffle_i64x2(s[i + 4], s[i + 6], 0x88);
		r[i + 6] = _mm512_shuffle_i64x2(s[i + 4], s[i + 6], 0xdd);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		out[i] = _mm512_shuffle_i64x2(r[i], r[i + 4], 0x88);
		out[i + 4] = _mm512_shuffle_i64x2(r[i], r[i + 4], 0xdd);
	}
}

IFMA static void transpose_rows(vec *out, const vec *const rows[8], unsigned digits)
{
	for (unsigned at = 0; at < digits; at += 8) {
		vec r[8];
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			r[i] = rows[i][at / 8];
		transpose8(out + at, r);
	}
}

IFMA static void transpose_octets(vec *out, const struct bytes numbers[8], unsigned digits)
{
	for (unsigned at = 0; at < digits; at += 8) {
		vec r[8];
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			r[i] = eight_digits(numbers[i].data, numbers[i].len, at);
		transpose8(out + at, r);
	}
}

IFMA static void to_digits(uint64_t *row, unsigned digits, const uint8_t *octets, size_t len)
{
	for (unsigned at = 0; at < digits; at += 8)
		_mm512_storeu_si512(row + at, eight_digits(octets, len, at));
}

/* --- keys ------------------------------------------------------------------------------------ */

/* EMSA-PKCS1-v1_5 (RFC 8017 §9.2) of a SHA-256 digest of zeros. */
static void padding(uint8_t *out, size_t len)
{
	static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
		0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	size_t info = len - 32 - sizeof(digest_info);
	memset(out, 0xff, len);
	out[0] = 0;
	out[1] = 1;
	out[info - 1] = 0;
	memcpy(out + info, digest_info, sizeof(digest_info));
	memset(out + len - 32, 0, 32);
}

static uint64_t minus_inverse(uint64_t n0)
{
	uint64_t x = n0; /* right in three bits; each step doubles them */
	for (int i = 0; i < 5; i++)
		x *= 2 - n0 * x;
	return (0 - x) & DIGIT_MASK;
}

static bool is_below(const uint64_t *x, const uint64_t *y, unsigned digits)
{
	for (unsigned i = digits; i-- > 0;)
		if (x[i] != y[i])
			return x[i] < y[i];
	return false;
}

/* z = x - y */
static void subtract(uint64_t *z, const uint64_t *x, const uint64_t *y, unsigned digits)
{
	uint64_t borrow = 0;
	for (unsigned i = 0; i < digits; i++) {
		uint64_t d = x[i] - y[i] - borrow;
		borrow = d >> 63;
		z[i] = d & DIGIT_MASK;
	}
}

/* row = -x mod n, for x < 2n in lane 0. */
IFMA static void negated_row(uint64_t *row, const vec *x, const uint64_t *n, unsigned digits)
{
	uint64_t value[ROW_MAX];
	for (unsigned i = 0; i < digits; i++)
		value[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(x[i]));
	if (!is_below(value, n, digits))
		subtract(value, value, n, digits);
	subtract(row, n, value, digits);
	if (!is_below(row, n, digits)) /* x was a multiple of n */
		memset(row, 0, digits * sizeof(row[0]));
}

IFMA static void broadcast(vec *out, const uint64_t *row, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++)
		out[i] = _mm512_set1_epi64((long long)row[i]);
}

/*
 * y = R^-65534 mod n. A product in Montgomery's sense adds M where a number is R^(1-M): 1 has M =
 * 1, and M = 65535 = 3 * 5 * 17 * 257.
 */
IFMA static void inverse_power(struct batch *w, vec *base)
{
	static const uint8_t squarings[] = {1, 2, 4, 8};
	const uint64_t one[ROW_MAX] = {1};

	broadcast(w->y, one, w->blocks * BLOCK);
	for (size_t i = 0; i < sizeof(squarings); i++) {
		memcpy(base, w->y, w->blocks * BLOCK * sizeof(vec));
		for (unsigned k = 0; k < squarings[i]; k++) {
			square(w);
			reduce(w, w->y);
		}
		multiply(w, w->y, base, NULL);
		reduce(w, w->y);
	}
}

IFMA struct rsa_ifma_key *rsa_ifma_key_new(const struct pubkey *key, unsigned digits)
{
	const unsigned row = ROW_OF(digits);
	const uint64_t one[ROW_MAX] = {1};
	uint64_t pad_row[ROW_MAX];
	uint8_t pad[RSA_MAX_OCTETS];
	struct batch w;
	size_t size = sizeof(struct rsa_ifma_key) + KEY_ROWS * row * sizeof(uint64_t);
	struct rsa_ifma_key *k = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (!k)
		return NULL;
	memset(k, 0, size);
	uint64_t *n = k->digits + KEY_N * row;
	to_digits(n, digits, key->n, key->n_len);
	k->k0 = minus_inverse(n[0]);
	padding(pad, key->n_len);
	to_digits(pad_row, digits, pad, key->n_len);

	w.blocks = digits / BLOCK;
	w.k0 = _mm512_set1_epi64((long long)k->k0);
	broadcast(w.n, n, digits);
	inverse_power(&w, w.s);
	broadcast(w.s, pad_row, digits);
	multiply(&w, w.y, w.s, NULL);
	reduce(&w, w.a);
	negated_row(k->digits + KEY_A * row, w.a, n, digits);
	broadcast(w.s, one, digits);
	multiply(&w, w.y, w.s, NULL);
	reduce(&w, w.b);
	negated_row(k->digits + KEY_B * row, w.b, n, digits);
	return k;
}

/* --- verification ---------------------------------------------------------------------------- */

static bool is_candidate(const struct pubkey_job *job)
{
	const struct pubkey *key = job->key;
	return job->signature.len == key->n_len &&
	       memcmp(job->signature.data, key->n, key->n_len) < 0;
}

/* Lanes past n repeat the first. */
IFMA static void load(struct batch *w, unsigned digits, struct pubkey_job *const *jobs, unsigned n)
{
	const vec *rows[KEY_ROWS][RSA_IFMA_LANES];
	struct bytes s[RSA_IFMA_LANES], h[RSA_IFMA_LANES];
	uint64_t k0[RSA_IFMA_LANES];
	vec h_digits[8];

	for (unsigned lane = 0; lane < RSA_IFMA_LANES; lane++) {
		const struct pubkey_job *job = jobs[lane < n ? lane : 0];
		const struct rsa_ifma_key *key = job->key->batch;
		for (unsigned r = 0; r < KEY_ROWS; r++)
			rows[r][lane] = (const vec *)(key->digits + r * ROW_OF(digits));
		k0[lane] = key->k0;
		s[lane] = is_candidate(job) ? job->signature : (struct bytes){job->digest, 0};
		h[lane] = bytes_of(job->digest, sizeof(job->digest));
	}
	w->blocks = digits / BLOCK;
	w->k0 = _mm512_loadu_si512(k0);
	transpose_rows(w->n, rows[KEY_N], digits);
	transpose_rows(w->a, rows[KEY_A], digits);
	transpose_rows(w->b, rows[KEY_B], digits);
	transpose_octets(w->s, s, digits);
	transpose_octets(h_digits, h, HASH_DIGITS);
	memcpy(w->h, h_digits, sizeof(w->h));
}

/* Lanes in which y is 0 or n. */
IFMA static unsigned zero_lanes(const struct batch *w, unsigned digits)
{
	__mmask8 not_zero = 0, not_n = 0;
	for (unsigned i = 0; i < digits; i++) {
		not_zero |= _mm512_test_epi64_mask(w->y[i], w->y[i]);
		not_n |= _mm512_cmpneq_epi64_mask(w->y[i], w->n[i]);
	}
	return (unsigned)(uint8_t) ~(not_zero & not_n);
}

IFMA void rsa_ifma_verify(
	unsigned digits, struct pubkey_job *const jobs[RSA_IFMA_LANES], unsigned n)
{
	struct batch w;

	load(&w, digits, jobs, n);
	memcpy(w.y, w.s, digits * sizeof(vec));
	for (int i = 0; i < 16; i++) {
		square(&w);
		reduce(&w, w.y);
	}
	multiply(&w, w.y, w.s, w.a);
	reduce(&w, w.y);
	unsigned good = zero_lanes(&w, digits);
	for (unsigned lane = 0; lane < n; lane++) {
		bool pass = good >> lane & 1 && is_candidate(jobs[lane]);
		jobs[lane]->verdict = pass ? PUBKEY_GOOD : PUBKEY_BAD;
	}
}
