/*
 * The flow hash of receive-side scaling: Toeplitz over addresses and ports as they arrive (the hash
 * that NICs compute, so a flow keeps its lcore whether the device or we hash it).
 */
#pragma once

#include "base/ip_addr.h"

#include <stdint.h>

#define RSS_KEY_LEN   40
#define RSS_TUPLE_MAX 36 /* two IPv6 addresses and two ports */

struct rss {
	uint8_t key[RSS_KEY_LEN];
	uint32_t table[RSS_TUPLE_MAX][256]; /* what each octet at each place adds */
};

/* `key` is random and the same on every lcore of one boot. */
void rss_init(struct rss *rss, const uint8_t key[RSS_KEY_LEN]);

/* Hash of a packet from src:src_port to dst:dst_port; both addresses are of one family. */
uint32_t rss_hash(const struct rss *rss, const struct ip_addr *src, uint16_t src_port,
	const struct ip_addr *dst, uint16_t dst_port);
