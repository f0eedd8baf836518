/*
 * The Internet checksum (RFC 1071), for devices that do not compute it. A sum is carried unfolded
 * from piece to piece; each piece but the last has an even length.
 */
#pragma once

#include "base/ip_addr.h"

#include <stddef.h>
#include <stdint.h>

/* `sum` plus `len` octets. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t len);

/*
 * The sum of the pseudo-header of a packet between two addresses of one family (RFC 9293 §3.1, RFC
 * 8200 §8.1); `len` counts the octets of the upper-layer header and data.
 */
uint64_t checksum_pseudo(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol, uint16_t len);

/* The 16 bits of a sum, not complemented: what a device that finishes the checksum wants to find.
 */
uint16_t checksum_fold(uint64_t sum);

/*
 * The value for the checksum field, to be stored as it is in memory (it is in network order
 * already). Over data that holds a right checksum the result is 0.
 */
static inline uint16_t checksum_finish(uint64_t sum)
{
	return (uint16_t)~checksum_fold(sum);
}

/* Both at once for one piece, such as an IPv4 header. */
static inline uint16_t checksum(const void *data, size_t len)
{
	return checksum_finish(checksum_add(0, data, len));
}

/* Store a finished or folded sum into a header. */
static inline void checksum_store(uint8_t field[2], uint16_t value)
{
	memcpy(field, &value, sizeof(value));
}
