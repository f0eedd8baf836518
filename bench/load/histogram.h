/*
 * Counts of values in logarithmic buckets, each divided evenly (the idea of HdrHistogram): any
 * 64-bit value, within 1/32 of the true one, in a fixed 15 KiB.
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5u
#define HISTOGRAM_SUBS     (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_BUCKETS  ((64u - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUBS)

/* All zero is an empty one. */
struct histogram {
	uint64_t count, sum, min, max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
/*
 * The value that `percent` (0 to 100) of the counted ones do not exceed: the upper end of its
 * bucket, never above the greatest value counted. 0 where there is none.
 */
uint64_t histogram_percentile(const struct histogram *h, double percent);
double histogram_mean(const struct histogram *h);
/* How many values fell into buckets that lie in [from, to); both powers of two, or `from` 0. */
uint64_t histogram_between(const struct histogram *h, uint64_t from, uint64_t to);
