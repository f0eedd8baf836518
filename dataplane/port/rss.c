#include "dataplane/port/rss.h"

#include "dataplane/wire.h"

/* The 32 bits of the key from bit `at` on. */
static uint32_t key_window(const uint8_t *key, unsigned at)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 5; i++) {
		unsigned octet = at / 8 + i;

		bits = bits << 8 | (octet < RSS_KEY_LEN ? key[octet] : 0);
	}
	return (uint32_t)(bits >> (8 - at % 8));
}

void rss_init(struct rss *rss, const uint8_t key[RSS_KEY_LEN])
{
	memcpy(rss->key, key, RSS_KEY_LEN);
	for (unsigned place = 0; place < RSS_TUPLE_MAX; place++) {
		for (unsigned octet = 0; octet < 256; octet++) {
			uint32_t hash = 0;

			for (unsigned bit = 0; bit < 8; bit++) {
				if (octet & 0x80u >> bit)
					hash ^= key_window(key, place * 8 + bit);
			}
			rss->table[place][octet] = hash;
		}
	}
}

uint32_t rss_hash(const struct rss *rss, const struct ip_addr *src, uint16_t src_port,
	const struct ip_addr *dst, uint16_t dst_port)
{
	bool v4 = ip_addr_is_v4(src);
	unsigned skip = v4 ? 12 : 0, len = 16 - skip;
	uint8_t tuple[RSS_TUPLE_MAX];
	uint32_t hash = 0;

	memcpy(tuple, src->octets + skip, len);
	memcpy(tuple + len, dst->octets + skip, len);
	wire_put16(tuple + 2 * len, src_port);
	wire_put16(tuple + 2 * len + 2, dst_port);
	for (unsigned i = 0; i < 2 * len + 4; i++)
		hash ^= rss->table[i][tuple[i]];
	return hash;
}
