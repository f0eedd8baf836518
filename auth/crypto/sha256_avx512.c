/* SHA-256 of sixteen streams in the sixteen 32-bit lanes of AVX-512. */
#include "auth/crypto/sha256_priv.h"

#include <immintrin.h>

#define LANES SHA256_AVX512_LANES

/* UBSan finds nothing in vectors, and takes long to look at what is unrolled here. */
#define WIDE        __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"), no_sanitize("undefined")))
#define WIDE_INLINE WIDE __attribute__((always_inline)) static inline

typedef __m512i vec;

/* Rows to columns, of 32-bit words. */
WIDE_INLINE void transpose16(vec r[LANES])
{
	vec s[LANES];
#pragma GCC unroll 8
	for (int i = 0; i < 16; i += 2) {
		s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_unpacklo_epi64(s[i], s[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(s[i], s[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(s[i + 1], s[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(s[i + 1], s[i + 3]);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		s[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
		s[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
		s[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
		s[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_i32x4(s[i], s[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(s[i], s[i + 8], 0xdd);
		r[i + 4] = _mm512_shuffle_i32x4(s[i + 4], s[i + 12], 0x88);
		r[i + 12] = _mm512_shuffle_i32x4(s[i + 4], s[i + 12], 0xdd);
	}
}

#define ROR(x, n)     _mm512_ror_epi32((x), (n))
#define SHR(x, n)     _mm512_srli_epi32((x), (n))
#define ADD(x, y)     _mm512_add_epi32((x), (y))
#define XOR3(x, y, z) _mm512_ternarylogic_epi32((x), (y), (z), 0x96)
#define CH(e, f, g)   _mm512_ternarylogic_epi32((e), (f), (g), 0xca)
#define MAJ(a, b, c)  _mm512_ternarylogic_epi32((a), (b), (c), 0xe8)

/* v is a to h; round r uses them rotated by r, so that nothing is moved. */
#define AT(letter, r) v[((letter) - (r)) & 7]

WIDE_INLINE void round16(vec v[8], vec w[16], int first)
{
#pragma GCC unroll 16
	for (int r = 0; r < 16; r++) {
		vec a = AT(0, r), e = AT(4, r);
		vec k = _mm512_set1_epi32((int)sha256_k[first + r]);
		vec t = ADD(ADD(AT(7, r), ADD(w[r], k)), CH(e, AT(5, r), AT(6, r)));
		t = ADD(t, XOR3(ROR(e, 6), ROR(e, 11), ROR(e, 25)));
		AT(3, r) = ADD(AT(3, r), t);
		t = ADD(t, MAJ(a, AT(1, r), AT(2, r)));
		AT(7, r) = ADD(t, XOR3(ROR(a, 2), ROR(a, 13), ROR(a, 22)));
	}
}

WIDE_INLINE void schedule(vec w[16])
{
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++) {
		vec x = w[(i + 1) & 15], y = w[(i + 14) & 15];
		vec s0 = XOR3(ROR(x, 7), ROR(x, 18), SHR(x, 3));
		vec s1 = XOR3(ROR(y, 17), ROR(y, 19), SHR(y, 10));
		w[i] = ADD(ADD(w[i], s0), ADD(w[(i + 9) & 15], s1));
	}
}

WIDE static void blocks16(vec h[8], const uint8_t *at[LANES], size_t blocks)
{
	const vec swap =
		_mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll));
	for (; blocks; blocks--) {
		vec w[16], v[8];
#pragma GCC unroll 16
		for (int i = 0; i < LANES; i++) {
			w[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(at[i]), swap);
			at[i] += 64;
		}
		transpose16(w);
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			v[i] = h[i];
		round16(v, w, 0);
		for (int first = 16; first < 64; first += 16) {
			schedule(w);
			round16(v, w, first);
		}
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			h[i] = ADD(h[i], v[i]);
	}
}

/* Lanes past n hash the first stream once more, into nothing. */
WIDE void sha256_lanes_avx512(
	uint32_t *const h[], const uint8_t *const data[], unsigned n, size_t blocks)
{
	uint32_t words[8][LANES] __attribute__((aligned(64)));
	const uint8_t *at[LANES];
	vec v[8];

	for (unsigned i = 0; i < LANES; i++) {
		unsigned from = i < n ? i : 0;
		at[i] = data[from];
		for (int k = 0; k < 8; k++)
			words[k][i] = h[from][k];
	}
	for (int k = 0; k < 8; k++)
		v[k] = _mm512_load_si512(words[k]);
	blocks16(v, at, blocks);
	for (int k = 0; k < 8; k++)
		_mm512_store_si512(words[k], v[k]);
	for (unsigned i = 0; i < n; i++)
		for (int k = 0; k < 8; k++)
			h[i][k] = words[k][i];
}
