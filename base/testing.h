/* What unit tests start with: cmocka with the headers it needs, and seeded randomness. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Needs the ones above to come first. */
#include <cmocka.h>

#include "base/bytes.h"

/* SplitMix64 (Steele, Lea, Flood 2014): any seed gives a good sequence. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* The seed of this run, printed: TEST_SEED in the environment, or the fixed one given. */
static inline uint64_t test_seed(uint64_t fixed)
{
	const char *text = getenv("TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : fixed;

	print_message("seed %llu (set TEST_SEED to change)\n", (unsigned long long)seed);
	return seed;
}

#define assert_bytes_equal(b, literal)                                                             \
	do {                                                                                       \
		struct bytes got_ = (b);                                                           \
		assert_int_equal(got_.len, sizeof(literal) - 1);                                   \
		if (got_.len > 0)                                                                  \
			assert_memory_equal(got_.data, "" literal, got_.len);                      \
	} while (0)
