/*
 * Numbers in network order at any address, and the headers of link and network layer as octets
 * (so that none of them needs alignment or packing).
 */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint16_t wire_get16(const uint8_t p[2])
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t wire_get32(const uint8_t p[4])
{
	return (uint32_t)wire_get16(p) << 16 | wire_get16(p + 2);
}

static inline void wire_put16(uint8_t p[2], uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_put32(uint8_t p[4], uint32_t v)
{
	wire_put16(p, (uint16_t)(v >> 16));
	wire_put16(p + 2, (uint16_t)v);
}

#define ETH_ADDR_LEN   6
#define ETH_HEADER_LEN 14
#define ETH_TYPE_IP4   0x0800
#define ETH_TYPE_ARP   0x0806
#define ETH_TYPE_IP6   0x86dd

struct eth_header {
	uint8_t dst[ETH_ADDR_LEN];
	uint8_t src[ETH_ADDR_LEN];
	uint8_t type[2];
};
_Static_assert(sizeof(struct eth_header) == ETH_HEADER_LEN, "as on the wire");

#define IP_PROTO_ICMP  1
#define IP_PROTO_TCP   6
#define IP_PROTO_ICMP6 58

/* RFC 791 §3.1 */
#define IP4_HEADER_LEN     20
#define IP4_DONT_FRAGMENT  0x4000
#define IP4_MORE_FRAGMENTS 0x2000
#define IP4_OFFSET_MASK    0x1fff

struct ip4_header {
	uint8_t version_ihl;
	uint8_t tos;
	uint8_t total_len[2];
	uint8_t id[2];
	uint8_t fragment[2];
	uint8_t ttl;
	uint8_t protocol;
	uint8_t checksum[2];
	uint8_t src[4];
	uint8_t dst[4];
};
_Static_assert(sizeof(struct ip4_header) == IP4_HEADER_LEN, "as on the wire");

/* RFC 8200 §3 */
#define IP6_HEADER_LEN 40
#define IP6_MIN_MTU    1280

struct ip6_header {
	uint8_t version_class_flow[4];
	uint8_t payload_len[2];
	uint8_t next;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
};
_Static_assert(sizeof(struct ip6_header) == IP6_HEADER_LEN, "as on the wire");

#define TCP_HEADER_LEN   20
#define TCP_CHECKSUM_AT  16
#define ICMP_CHECKSUM_AT 2
