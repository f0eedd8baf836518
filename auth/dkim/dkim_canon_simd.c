/*
 * Relaxed bodies 64 octets at a time (AVX-512 VBMI2). A blank is kept where the octet after it is
 * neither a blank nor the CR of a line end, so that nothing but the next octets need be known. Line
 * ends are written as they come, and those at the end of the output are taken back: they are held
 * as the plain code holds them. A bare CR, and what is held when a portion begins, are left to the
 * plain code.
 */
#include "auth/dkim/dkim_canon.h"

#include "auth/crypto/crypto_cpu.h"

#include <immintrin.h>

#define STEP       64
#define LOOKAHEAD  2  /* whether a CR right after the step is a line end's */
#define PLAIN_STEP 32 /* octets given to the plain code before the vectors try again */
#define CRLFS_MAX  16 /* held line ends that are written at once */

#define VECTOR __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,popcnt")))

/* Line ends at the end of `out` are held again. Returns what is left of n. */
static size_t hold_crlfs(struct dkim_canon_body *body, const uint8_t *out, size_t n)
{
	while (n >= 2 && out[n - 1] == '\n' && out[n - 2] == '\r') {
		n -= 2;
		body->crlfs++;
	}
	body->any |= n > 0;
	return n;
}

VECTOR static size_t relaxed_vectors(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity)
{
	const __m512i sp = _mm512_set1_epi8(' '), tab = _mm512_set1_epi8('\t');
	const __m512i cr = _mm512_set1_epi8('\r'), lf = _mm512_set1_epi8('\n');
	const uint8_t *at = input->data, *end = at + input->len;
	size_t n = 0;

	for (; body->crlfs; body->crlfs--) {
		out[n++] = '\r';
		out[n++] = '\n';
	}
	while (end - at >= STEP + LOOKAHEAD && n + STEP <= capacity) {
		__m512i now = _mm512_loadu_si512(at), next = _mm512_loadu_si512(at + 1);
		__mmask64 wsp = _mm512_cmpeq_epi8_mask(now, sp) | _mm512_cmpeq_epi8_mask(now, tab);
		__mmask64 next_wsp =
			_mm512_cmpeq_epi8_mask(next, sp) | _mm512_cmpeq_epi8_mask(next, tab);
		__mmask64 next_cr = _mm512_cmpeq_epi8_mask(next, cr);
		__mmask64 bare =
			_mm512_cmpeq_epi8_mask(now, cr) & ~_mm512_cmpeq_epi8_mask(next, lf);
		if (bare || (at[STEP] == '\r' && at[STEP + 1] != '\n'))
			break;
		__mmask64 keep = ~(wsp & (next_wsp | next_cr));
		now = _mm512_mask_mov_epi8(now, wsp, sp);
		_mm512_storeu_si512(out + n, _mm512_maskz_compress_epi8(keep, now));
		n += (size_t)_mm_popcnt_u64(keep);
		at += STEP;
	}
	/* Half a line end: the LF is still to come. */
	if (at > input->data && at[-1] == '\r') {
		body->cr = true;
		n--;
	}
	*input = bytes_of(at, (size_t)(end - at));
	return hold_crlfs(body, out, n);
}

static bool can_use_vectors(const struct dkim_canon_body *body, struct bytes input, size_t room)
{
	return crypto_cpu.avx512_vbmi2 && !body->cr && !body->wsp && body->crlfs <= CRLFS_MAX &&
	       input.len >= STEP + LOOKAHEAD && room >= STEP + 2 * CRLFS_MAX;
}

size_t dkim_canon_relaxed(
	struct dkim_canon_body *body, struct bytes *input, uint8_t *out, size_t capacity)
{
	size_t n = 0;
	while (input->len) {
		if (can_use_vectors(body, *input, capacity - n))
			n += relaxed_vectors(body, input, out + n, capacity - n);
		struct bytes some = bytes_slice(*input, 0, PLAIN_STEP);
		size_t had = some.len;
		n += dkim_canon_relaxed_plain(body, &some, out + n, capacity - n);
		*input = bytes_from(*input, had - some.len);
		if (some.len)
			break; /* no room */
	}
	return n;
}
