#include "dataplane/port/checksum.h"

#include "dataplane/wire.h"

/* One's complement addition: what overflows comes back in at the bottom. */
static inline uint64_t add_around(uint64_t sum, uint64_t value)
{
	uint64_t carry = __builtin_add_overflow(sum, value, &sum);

	return sum + carry;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/*
 * The sum is the same whatever the word size and octet order (RFC 1071 §2), so words of 64 bits are
 * added as they lie in memory. Two sums side by side keep two adders busy.
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t other = 0;

	for (; len >= 32; p += 32, len -= 32) {
		sum = add_around(sum, load64(p));
		other = add_around(other, load64(p + 8));
		sum = add_around(sum, load64(p + 16));
		other = add_around(other, load64(p + 24));
	}
	sum = add_around(sum, other);
	for (; len >= 8; p += 8, len -= 8)
		sum = add_around(sum, load64(p));
	if (len) {
		uint64_t tail = 0;

		memcpy(&tail, p, len);
		sum = add_around(sum, tail);
	}
	return sum;
}

uint64_t checksum_pseudo(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol, uint16_t len)
{
	uint8_t tail[4] = {0, protocol};
	uint64_t sum = 0;

	wire_put16(tail + 2, len);
	sum = checksum_add(sum, tail, sizeof(tail));
	if (ip_addr_is_v4(src)) {
		sum = checksum_add(sum, src->octets + 12, 4);
		return checksum_add(sum, dst->octets + 12, 4);
	}
	sum = checksum_add(sum, src->octets, 16);
	return checksum_add(sum, dst->octets, 16);
}

uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)((sum >> 16) + sum);
}
