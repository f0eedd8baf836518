/*
 * IP addresses of both families in one type, parsed and printed without a system call.
 *
 * IPv4 is held as the v4-mapped ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so the mapped and the plain
 * form of one address are equal: a client that comes as either is the same client (RFC 7208 §5).
 */
#pragma once

#include "base/bytes.h"

struct ip_addr {
	uint8_t octets[16]; /* network order */
};

_Static_assert(sizeof(struct ip_addr) == 16, "an address is its octets");

/* Room for the longest text with its NUL. */
#define IP_ADDR_TEXT_MAX 46
/* Room for the longest address/length with its NUL. */
#define IP_CIDR_TEXT_MAX (IP_ADDR_TEXT_MAX + 4)

/* From an IPv4 address in host order: 0x7f000001 is 127.0.0.1. */
struct ip_addr ip_addr_v4(uint32_t host_order);
/* From 16 octets in network order. */
struct ip_addr ip_addr_v6(const uint8_t octets[16]);

bool ip_addr_is_v4(const struct ip_addr *a);
/* The IPv4 address in host order; only for ip_addr_is_v4(). */
uint32_t ip_addr_v4_of(const struct ip_addr *a);
bool ip_addr_is_loopback(const struct ip_addr *a);

static inline bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

/* Order by network-order octets. */
static inline int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->octets, b->octets, sizeof(a->octets));
}

/*
 * The whole of `text` as one address. IPv4: four decimal numbers, no leading zeros. IPv6: RFC 4291
 * §2.2 with at most one "::" (that stands for at least one group) and an optional IPv4 tail; no
 * zone, no brackets. Returns 0 or -EINVAL; `*a` is written only on success.
 */
int ip_addr_parse(struct bytes text, struct ip_addr *a);
/* The same for one family only, as SPF's ip4: and ip6: need. A mapped address is an ip6 text. */
int ip_addr_parse_v4(struct bytes text, struct ip_addr *a);
int ip_addr_parse_v6(struct bytes text, struct ip_addr *a);

/* Text of RFC 5952 (mapped addresses as a.b.c.d), NUL-terminated. Returns its length. */
size_t ip_addr_format(const struct ip_addr *a, char out[IP_ADDR_TEXT_MAX]);

/* A network. prefix_len counts over all 128 bits: 192.0.2.0/24 has 120. */
struct ip_cidr {
	struct ip_addr addr; /* host bits are zero after ip_cidr_init() and ip_cidr_parse() */
	uint8_t prefix_len;
};

/*
 * Network of `addr` with a length in bits of its own family (0..32 or 0..128), host bits cleared.
 * Returns 0 or -EINVAL.
 */
int ip_cidr_init(struct ip_cidr *net, const struct ip_addr *addr, unsigned family_prefix_len);
/*
 * "ADDRESS" or "ADDRESS/LENGTH", the length without leading zeros. Host bits that are set are
 * refused where `strict`, else cleared. Returns 0 or -EINVAL.
 */
int ip_cidr_parse(struct bytes text, bool strict, struct ip_cidr *net);
/* True if `a` lies in `net`. An IPv6 network, even ::/0, never holds an IPv4 address. */
bool ip_cidr_match(const struct ip_cidr *net, const struct ip_addr *a);
/* "ADDRESS/LENGTH" with the family's own length, NUL-terminated. Returns its length. */
size_t ip_cidr_format(const struct ip_cidr *net, char out[IP_CIDR_TEXT_MAX]);
