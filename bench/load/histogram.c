#include "bench/load/histogram.h"

/*
 * Values below HISTOGRAM_SUBS have a bucket each. Above, an octave [2^n, 2^(n+1)) is divided into
 * HISTOGRAM_SUBS buckets by the bits behind the leading one.
 */
static unsigned bucket_of(uint64_t value)
{
	unsigned octave;

	if (value < HISTOGRAM_SUBS)
		return (unsigned)value;
	octave = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (octave + 1) * HISTOGRAM_SUBS + (unsigned)(value >> octave & (HISTOGRAM_SUBS - 1));
}

/* The greatest value of a bucket. */
static uint64_t upper_end(unsigned bucket)
{
	unsigned octave = bucket / HISTOGRAM_SUBS;
	uint64_t sub = bucket % HISTOGRAM_SUBS;

	if (octave == 0)
		return sub;
	octave--;
	return ((HISTOGRAM_SUBS + sub) << octave) + ((UINT64_C(1) << octave) - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
	if (h->count == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->sum += value;
	h->buckets[bucket_of(value)]++;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t wanted = (uint64_t)(percent / 100 * (double)h->count + 0.999999), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen && seen >= wanted)
			return upper_end(i) < h->max ? upper_end(i) : h->max;
	}
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}

uint64_t histogram_between(const struct histogram *h, uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (unsigned i = bucket_of(from); i < bucket_of(to); i++)
		n += h->buckets[i];
	return n;
}
