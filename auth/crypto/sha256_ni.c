/*
 * SHA-256 by the SHA extensions. One round instruction has a latency of four or more cycles and
 * depends on the one before, so independent streams run side by side (STREAMS of them,
 * interleaved).
 */
#include "auth/crypto/sha256_priv.h"

#include <immintrin.h>

#define NI_TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define NI        NI_TARGET __attribute__((always_inline)) static inline

/* The two halves of a state as the instructions want them: ABEF and CDGH. */
struct ni {
	__m128i abef, cdgh;
};

NI struct ni ni_load(const uint32_t h[8])
{
	__m128i t = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0xb1);
	__m128i u = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(h + 4)), 0x1b);
	return (struct ni){_mm_alignr_epi8(t, u, 8), _mm_blend_epi16(u, t, 0xf0)};
}

NI void ni_store(uint32_t h[8], struct ni s)
{
	__m128i t = _mm_shuffle_epi32(s.abef, 0x1b);
	__m128i u = _mm_shuffle_epi32(s.cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)h, _mm_blend_epi16(t, u, 0xf0));
	_mm_storeu_si128((__m128i *)(h + 4), _mm_alignr_epi8(u, t, 8));
}

/* One block of n streams: four rounds a step, the message schedule four words ahead. */
NI void ni_block(struct ni *s, const uint8_t *const *data, int n)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
	__m128i w[4][4];
	struct ni before[4];

	for (int j = 0; j < n; j++) {
		before[j] = s[j];
		for (int i = 0; i < 4; i++)
			w[j][i] = _mm_shuffle_epi8(
				_mm_loadu_si128((const __m128i *)(data[j] + 16 * i)), swap);
	}
#pragma GCC unroll 16
	for (int r = 0; r < 16; r++) {
		__m128i k = _mm_load_si128((const __m128i *)(sha256_k + 4 * r));
#pragma GCC unroll 4
		for (int j = 0; j < n; j++) {
			__m128i m = _mm_add_epi32(w[j][r & 3], k);
			s[j].cdgh = _mm_sha256rnds2_epu32(s[j].cdgh, s[j].abef, m);
			s[j].abef = _mm_sha256rnds2_epu32(
				s[j].abef, s[j].cdgh, _mm_shuffle_epi32(m, 0x0e));
			if (r < 12) {
				__m128i x = _mm_sha256msg1_epu32(w[j][r & 3], w[j][(r + 1) & 3]);
				x = _mm_add_epi32(x,
					_mm_alignr_epi8(w[j][(r + 3) & 3], w[j][(r + 2) & 3], 4));
				w[j][r & 3] = _mm_sha256msg2_epu32(x, w[j][(r + 3) & 3]);
			}
		}
	}
	for (int j = 0; j < n; j++) {
		s[j].abef = _mm_add_epi32(s[j].abef, before[j].abef);
		s[j].cdgh = _mm_add_epi32(s[j].cdgh, before[j].cdgh);
	}
}

NI_TARGET void sha256_blocks_ni(uint32_t h[8], const uint8_t *data, size_t blocks)
{
	struct ni s = ni_load(h);
	for (; blocks; blocks--, data += 64)
		ni_block(&s, &data, 1);
	ni_store(h, s);
}

NI void ni_lanes(uint32_t *const h[], const uint8_t *const data[], int n, size_t blocks)
{
	struct ni s[SHA256_NI_LANES];
	const uint8_t *at[SHA256_NI_LANES];
	for (int j = 0; j < n; j++) {
		s[j] = ni_load(h[j]);
		at[j] = data[j];
	}
	for (; blocks; blocks--) {
		ni_block(s, at, n);
		for (int j = 0; j < n; j++)
			at[j] += 64;
	}
	for (int j = 0; j < n; j++)
		ni_store(h[j], s[j]);
}

NI_TARGET void sha256_lanes_ni(
	uint32_t *const h[], const uint8_t *const data[], unsigned n, size_t blocks)
{
	switch (n) {
	case 1: sha256_blocks_ni(h[0], data[0], blocks); break;
	case 2: ni_lanes(h, data, 2, blocks); break;
	case 3: ni_lanes(h, data, 3, blocks); break;
	case 4: ni_lanes(h, data, 4, blocks); break;
	}
}
