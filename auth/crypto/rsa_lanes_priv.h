/*
 * What the RSA kernels have in common: a number is so many vectors of digits, one signature a lane.
 * rsa_ifma.c and rsa_avx2.c each include it once, after they have defined
 *
 *	vec, LANES, DIGIT_BITS, DIGIT_MASK, BLOCK, DIGITS_MAX, HASH_BLOCKS, HASH_ROWS, SUMS_FIT
 *	KERNEL, KERNEL_INLINE      with the attributes of their functions
 *	block_multiply, block_square, block_reduce, reduce_column   on blocks of BLOCK digits
 *	load_rows, load_octets     numbers into lanes
 *	scale_modulus, scale_row, scale, differ_from_modulus        see below
 *
 * R = 2^(DIGIT_BITS digits), modulus m < R / 4. Almost-Montgomery products: inputs below 2m give
 * outputs below 2m. No number is brought into or out of Montgomery form: sixteen squarings of the
 * raw s give y = s^65536 R^-65535, and with
 *
 *	E = R^-65535 mod n, B = n - E, A = -PAD E mod n (of the key), H = the digest
 *
 * (y s + A + H B) / R is 0 or n exactly when s^65537 = PAD + H mod n, PAD being the whole encoded
 * message with a digest of zeros: nothing of it is parsed. All inputs are public, so time may
 * depend on them.
 *
 * A kernel may want the modulus as m = k n, a multiple whose lowest digit makes reduction cheap.
 * Then s, A and B of the last product are multiples by k too, and it is 0 or m in the same cases.
 *
 * Products go by blocks of digits whose sums stay in registers; the loops over blocks stay loops
 * (unrolling those too overflows the instruction cache).
 */
#pragma once

#include "auth/crypto/rsa_kernel.h"

#include <stdlib.h>

/* A key's rows are padded to whole cache lines. */
#define ROW_OF(digits) (((digits) + 7u) & ~7u)
#define ROW_MAX        ROW_OF(DIGITS_MAX)

struct rsa_lanes_key {
	uint64_t k0;                                    /* -1/n mod 2^DIGIT_BITS */
	uint64_t digits[] __attribute__((aligned(64))); /* rows n, A, B */
};

enum { KEY_N, KEY_A, KEY_B, KEY_ROWS };

/* The numbers of one batch, digit by digit. */
struct batch {
	unsigned blocks;
	vec k0;
	vec n[ROW_MAX], a[ROW_MAX], b[ROW_MAX];
	vec s[ROW_MAX], y[ROW_MAX], q[ROW_MAX];
	vec t[2 * ROW_MAX];
	vec h[ROW_OF(HASH_BLOCKS * BLOCK)];
};

/* --- products -------------------------------------------------------------------------------- */

KERNEL_INLINE void clear(vec acc[2 * BLOCK])
{
#pragma GCC unroll 20
	for (int i = 0; i < 2 * BLOCK; i++)
		acc[i] = (vec){0};
}

/* The column is done: its upper half is the start of the next. */
KERNEL_INLINE void shift(vec acc[2 * BLOCK])
{
#pragma GCC unroll 10
	for (int i = 0; i < BLOCK; i++) {
		acc[i] = acc[i + BLOCK];
		acc[i + BLOCK] = (vec){0};
	}
}

/* t = y^2; digits of t are sums, not yet carried. */
KERNEL static void square(struct batch *w)
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
			t[k] += acc[k] + acc[k];
		shift(acc);
	}
}

/* acc += that column of a + h b. */
KERNEL_INLINE void add_hash(vec acc[2 * BLOCK], const struct batch *w, unsigned column)
{
	if (column < w->blocks) {
#pragma GCC unroll 10
		for (unsigned k = 0; k < BLOCK; k++)
			acc[k] += w->a[BLOCK * column + k];
	}
	for (unsigned j = 0; j < HASH_BLOCKS && j <= column; j++)
		if (column - j < w->blocks)
			block_multiply(
				acc, w->b + BLOCK * (column - j), w->h + BLOCK * j, HASH_ROWS);
}

/* t = x * y, or x * y + a + h * b. */
KERNEL static void multiply(struct batch *w, const vec *x, const vec *y, bool with_hash)
{
	const unsigned blocks = w->blocks;
	vec acc[2 * BLOCK];

	clear(acc);
	for (unsigned column = 0; column < 2 * blocks; column++) {
		unsigned i = column < blocks ? 0 : column - blocks + 1;
		unsigned end = column < blocks ? column + 1 : blocks;
		for (; i < end; i++)
			block_multiply(acc, x + BLOCK * i, y + BLOCK * (column - i), BLOCK);
		if (with_hash && column < blocks + HASH_BLOCKS)
			add_hash(acc, w, column);
#pragma GCC unroll 10
		for (int k = 0; k < BLOCK; k++)
			w->t[BLOCK * column + (unsigned)k] = acc[k];
		shift(acc);
	}
}

/* --- reduction ------------------------------------------------------------------------------- */

/*
 * acc += the next digits of t. Where their sums and those of the reduction would overflow
 * together, t is carried first.
 */
KERNEL_INLINE void take_column(vec acc[2 * BLOCK], const vec *t, vec *carry)
{
#pragma GCC unroll 10
	for (int k = 0; k < BLOCK; k++) {
		if (SUMS_FIT) {
			acc[k] += t[k];
			continue;
		}
		*carry += t[k];
		acc[k] += *carry & DIGIT_MASK;
		*carry >>= DIGIT_BITS;
	}
}

KERNEL_INLINE void put_column(vec *out, const vec acc[2 * BLOCK], vec *carry)
{
#pragma GCC unroll 10
	for (int k = 0; k < BLOCK; k++) {
		*carry += acc[k];
		out[k] = *carry & DIGIT_MASK;
		*carry >>= DIGIT_BITS;
	}
}

/* out = t / R mod m, below 2m, every digit below 2^DIGIT_BITS. */
KERNEL static void reduce(struct batch *w, vec *out)
{
	const unsigned blocks = w->blocks;
	vec acc[2 * BLOCK], carry_in = {0}, carry = {0};

	clear(acc);
	for (unsigned column = 0; column < 2 * blocks; column++) {
		take_column(acc, w->t + BLOCK * column, &carry_in);
		unsigned i = column < blocks ? 0 : column - blocks + 1;
		unsigned end = column < blocks ? column : blocks;
		for (; i < end; i++)
			block_reduce(acc, w->q + BLOCK * i, w->n + BLOCK * (column - i));
		if (column < blocks)
			reduce_column(acc, w->q + BLOCK * column, w->n, w->k0);
		else
			put_column(out + BLOCK * (column - blocks), acc, &carry);
		shift(acc);
	}
}

/* --- keys ------------------------------------------------------------------------------------ */

static void to_digits(uint64_t *row, unsigned digits, const uint8_t *octets, size_t len)
{
	uint64_t word = 0;
	unsigned bits = 0, i = 0;

	memset(row, 0, digits * sizeof(row[0]));
	while (len > 0) {
		word |= (uint64_t)octets[--len] << bits;
		bits += 8;
		if (bits < DIGIT_BITS && len > 0)
			continue;
		row[i++] = word & DIGIT_MASK;
		word >>= DIGIT_BITS;
		bits -= DIGIT_BITS;
	}
	if (word)
		row[i] = word;
}

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

/* row = -x mod m, for x < 2m in lane 0. */
KERNEL static void negated_row(uint64_t *row, const vec *x, const uint64_t *m, unsigned digits)
{
	uint64_t value[ROW_MAX];
	for (unsigned i = 0; i < digits; i++)
		value[i] = x[i][0];
	if (!is_below(value, m, digits))
		subtract(value, value, m, digits);
	subtract(row, m, value, digits);
	if (!is_below(row, m, digits)) /* x was a multiple of m */
		memset(row, 0, digits * sizeof(row[0]));
}

KERNEL static void broadcast(vec *out, const uint64_t *row, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++)
		out[i] = (vec){0} + row[i];
}

/*
 * y = R^-65534 mod m. A product in Montgomery's sense adds M where a number is R^(1-M): 1 has M =
 * 1, and M = 65535 = 3 * 5 * 17 * 257.
 */
KERNEL static void inverse_power(struct batch *w, vec *base)
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
		multiply(w, w->y, base, false);
		reduce(w, w->y);
	}
}

/* row = -x y / R mod m; x is used up. */
KERNEL static void negated_product(
	uint64_t *row, struct batch *w, uint64_t *x, uint64_t k0, const uint64_t *m)
{
	const unsigned digits = w->blocks * BLOCK;
	scale_row(x, k0, digits);
	broadcast(w->s, x, digits);
	multiply(w, w->y, w->s, false);
	reduce(w, w->a);
	negated_row(row, w->a, m, digits);
}

KERNEL static void *rsa_lanes_key_new(const struct pubkey *key, unsigned digits)
{
	const unsigned row = ROW_OF(digits);
	uint64_t m[ROW_MAX], one[ROW_MAX] = {1}, pad_row[ROW_MAX];
	uint8_t pad[RSA_MAX_OCTETS];
	struct batch w;
	size_t size = sizeof(struct rsa_lanes_key) + KEY_ROWS * row * sizeof(uint64_t);
	struct rsa_lanes_key *k = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (!k)
		return NULL;
	memset(k, 0, size);
	to_digits(m, digits, key->n, key->n_len);
	k->k0 = minus_inverse(m[0]);
	scale_modulus(k->digits + KEY_N * row, m, k->k0, digits);
	padding(pad, key->n_len);
	to_digits(pad_row, digits, pad, key->n_len);

	w.blocks = digits / BLOCK;
	w.k0 = (vec){0} + k->k0;
	broadcast(w.n, k->digits + KEY_N * row, digits);
	inverse_power(&w, w.s);
	negated_product(k->digits + KEY_A * row, &w, pad_row, k->k0, m);
	negated_product(k->digits + KEY_B * row, &w, one, k->k0, m);
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
KERNEL static void load(
	struct batch *w, unsigned digits, struct pubkey_job *const *jobs, unsigned n)
{
	const uint64_t *rows[KEY_ROWS][LANES];
	struct bytes s[LANES], h[LANES];

	for (unsigned lane = 0; lane < LANES; lane++) {
		const struct pubkey_job *job = jobs[lane < n ? lane : 0];
		const struct rsa_lanes_key *key = job->key->batch;
		for (unsigned r = 0; r < KEY_ROWS; r++)
			rows[r][lane] = key->digits + r * ROW_OF(digits);
		w->k0[lane] = key->k0;
		s[lane] = bytes_of(job->signature.data, is_candidate(job) ? job->signature.len : 0);
		h[lane] = bytes_of(job->digest, sizeof(job->digest));
	}
	w->blocks = digits / BLOCK;
	load_rows(w->n, rows[KEY_N], digits);
	load_rows(w->a, rows[KEY_A], digits);
	load_rows(w->b, rows[KEY_B], digits);
	load_octets(w->s, s, digits);
	load_octets(w->h, h, HASH_BLOCKS * BLOCK);
}

/* Lanes in which y is 0 or m. */
KERNEL static unsigned zero_lanes(const struct batch *w, unsigned digits)
{
	vec not_zero = {0}, not_m = differ_from_modulus(w->y, w->n, digits);
	unsigned lanes = 0;
	for (unsigned i = 0; i < digits; i++)
		not_zero |= w->y[i];
	for (unsigned lane = 0; lane < LANES; lane++)
		lanes |= (unsigned)(!not_zero[lane] || !not_m[lane]) << lane;
	return lanes;
}

KERNEL static void rsa_lanes_verify(unsigned digits, struct pubkey_job *const *jobs, unsigned n)
{
	struct batch w;

	load(&w, digits, jobs, n);
	memcpy(w.y, w.s, digits * sizeof(vec));
	scale(w.s, w.k0, digits);
	for (int i = 0; i < 16; i++) {
		square(&w);
		reduce(&w, w.y);
	}
	multiply(&w, w.y, w.s, true);
	reduce(&w, w.y);
	unsigned good = zero_lanes(&w, digits);
	for (unsigned lane = 0; lane < n; lane++) {
		bool pass = good >> lane & 1 && is_candidate(jobs[lane]);
		jobs[lane]->verdict = pass ? PUBKEY_GOOD : PUBKEY_BAD;
	}
}
