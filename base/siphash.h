/* SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables that peers can fill. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

/* Key from 16 octets in the little-endian order of the paper. */
struct siphash_key siphash_key_of(const uint8_t octets[16]);
uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);
/* Same value as siphash() over the little-endian octets of the words, without the byte loop. */
uint64_t siphash_words(const struct siphash_key *key, const uint64_t *words, size_t count);
