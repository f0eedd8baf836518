/*
 * 64 octets at a time as bit masks, one for each octet that matters: whatever is out of order shows
 * as a bit, and such a block is left to the automaton.
 */
#include "gateway/smtp/smtp_data_lines.h"

#include <emmintrin.h>

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

static struct masks masks_of(const uint8_t *at)
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

/* Octets of a block that are told of once the line they are in is taken. */
struct marks {
	uint64_t empty, high;
};

size_t smtp_data_lines(struct bytes in, bool at_start, struct smtp_data_lines *seen)
{
	/* What the octet before the block was, as the block's bit 0. */
	uint64_t behind_cr = 0, behind_lf = at_start;
	struct marks pending = {0};
	size_t lines_end = 0;

	*seen = (struct smtp_data_lines){0};
	for (size_t i = 0; i + BLOCK <= in.len; i += BLOCK) {
		struct masks m = masks_of(in.data + i);
		uint64_t starts = m.lf << 1 | behind_lf;
		struct marks now = {m.cr & starts, m.high};

		if (m.nul | (m.lf ^ (m.cr << 1 | behind_cr)) | (m.dot & starts))
			break;
		if (m.lf) {
			/* Bits past the last line end belong to a line that is not taken yet. */
			unsigned end = BLOCK - (unsigned)__builtin_clzll(m.lf);
			uint64_t taken = UINT64_MAX >> (BLOCK - end);

			seen->empty |= (pending.empty | (now.empty & taken)) != 0;
			seen->eight_bit |= (pending.high | (now.high & taken)) != 0;
			pending = (struct marks){now.empty & ~taken, now.high & ~taken};
			lines_end = i + end;
		} else {
			pending.empty |= now.empty;
			pending.high |= now.high;
		}
		behind_cr = m.cr >> (BLOCK - 1);
		behind_lf = m.lf >> (BLOCK - 1);
	}
	return lines_end;
}
