/*
 * 64 octets at a time as bit masks, one for each octet that matters: whatever is out of order shows
 * as a bit, and such a block is left to the automaton.
 */
#include "gateway/smtp/smtp_data_lines.h"

#include <immintrin.h>

#define BLOCK 64
#define PART  16

struct masks {
	uint64_t cr, lf, nul, dot, high;
};

static uint64_t equal(const __m128i part[BLOCK / PART], char octet)
{
	const __m128i wanted = _mm_set1_epi8(octet);
	uint64_t mask = 0;

	for (unsigned i = 0; i < BLOCK / PART; i++)
		mask |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(part[i], wanted))
			<< i * PART;
	return mask;
}

static inline struct masks masks_sse2(const uint8_t *at)
{
	__m128i part[BLOCK / PART];
	struct masks m = {0};

	for (unsigned i = 0; i < BLOCK / PART; i++) {
		part[i] = _mm_loadu_si128((const __m128i *)(at + i * PART));
		m.high |= (uint64_t)(unsigned)_mm_movemask_epi8(part[i]) << i * PART;
	}
	m.cr = equal(part, '\r');
	m.lf = equal(part, '\n');
	m.nul = equal(part, '\0');
	m.dot = equal(part, '.');
	return m;
}

#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX512 static inline struct masks masks_avx512(const uint8_t *at)
{
	__m512i block = _mm512_loadu_si512(at);

	return (struct masks){
		.cr = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\r')),
		.lf = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\n')),
		.nul = _mm512_testn_epi8_mask(block, block),
		.dot = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('.')),
		.high = _mm512_movepi8_mask(block),
	};
}

/* Octets of a block that are told of once the line they are in is taken. */
struct marks {
	uint64_t empty, high;
};

/* Where the scan is, and what it has seen. */
struct scan {
	/* What the octet before the block was, as the block's bit 0. */
	uint64_t behind_cr, behind_lf;
	struct marks pending;
	struct smtp_data_lines seen;
	size_t lines_end;
};

/* The block that begins at octet `at`. False: something in it is out of order. */
static inline bool scan_block(struct scan *scan, const struct masks *m, size_t at)
{
	uint64_t starts = m->lf << 1 | scan->behind_lf;
	struct marks now = {m->cr & starts, m->high};

	if (m->nul | (m->lf ^ (m->cr << 1 | scan->behind_cr)) | (m->dot & starts))
		return false;
	if (m->lf) {
		/* Bits past the last line end belong to a line that is not taken yet. */
		unsigned end = BLOCK - (unsigned)__builtin_clzll(m->lf);
		uint64_t taken = UINT64_MAX >> (BLOCK - end);

		scan->seen.empty |= (scan->pending.empty | (now.empty & taken)) != 0;
		scan->seen.eight_bit |= (scan->pending.high | (now.high & taken)) != 0;
		scan->pending = (struct marks){now.empty & ~taken, now.high & ~taken};
		scan->lines_end = at + end;
	} else {
		scan->pending.empty |= now.empty;
		scan->pending.high |= now.high;
	}
	scan->behind_cr = m->cr >> (BLOCK - 1);
	scan->behind_lf = m->lf >> (BLOCK - 1);
	return true;
}

AVX512 static void scan_avx512(struct scan *scan, struct bytes in)
{
	for (size_t i = 0; i + BLOCK <= in.len; i += BLOCK) {
		struct masks m = masks_avx512(in.data + i);

		if (!scan_block(scan, &m, i))
			break;
	}
}

static void scan_sse2(struct scan *scan, struct bytes in)
{
	for (size_t i = 0; i + BLOCK <= in.len; i += BLOCK) {
		struct masks m = masks_sse2(in.data + i);

		if (!scan_block(scan, &m, i))
			break;
	}
}

size_t smtp_data_lines(struct bytes in, bool at_start, struct smtp_data_lines *seen)
{
	struct scan scan = {.behind_lf = at_start};

	if (__builtin_cpu_supports("avx512bw"))
		scan_avx512(&scan, in);
	else
		scan_sse2(&scan, in);
	*seen = scan.seen;
	return scan.lines_end;
}
