#include "dataplane/tcp/tcp_isn_priv.h"

#define ISN_TICK_US 4u /* RFC 9293 §3.4.1 */

static struct siphash_key derive(const struct siphash_key *root, uint64_t purpose)
{
	uint64_t words[2] = {purpose, 0};
	struct siphash_key key;

	key.k0 = siphash_words(root, words, 2);
	words[1] = 1;
	key.k1 = siphash_words(root, words, 2);
	return key;
}

void tcp_isn_init(struct tcp_isn *isn, const uint8_t secret[16])
{
	struct siphash_key root = siphash_key_of(secret);

	isn->sequence = derive(&root, 1);
	isn->timestamp = derive(&root, 2);
	isn->port = derive(&root, 3);
	isn->cookie = derive(&root, 4);
	isn->forced = false;
}

void tcp_isn_force(struct tcp_isn *isn, uint32_t number)
{
	isn->forced = true;
	isn->forced_number = number;
}

uint32_t tcp_isn_sequence(struct tcp_isn *isn, const struct tcp_tuple *t, uint64_t now_us)
{
	if (isn->forced) {
		isn->forced = false;
		return isn->forced_number;
	}
	return (uint32_t)(now_us / ISN_TICK_US) + tcp_tuple_hash(&isn->sequence, t);
}

uint32_t tcp_isn_timestamp_offset(const struct tcp_isn *isn, const struct tcp_tuple *t)
{
	return tcp_tuple_hash(&isn->timestamp, t);
}

uint16_t tcp_isn_port(const struct tcp_isn *isn, const struct tcp_tuple *t, uint32_t n)
{
	struct tcp_tuple without = *t;

	without.local_port = 0;
	return (uint16_t)(TCP_ISN_PORT_FIRST +
			  (tcp_tuple_hash(&isn->port, &without) + n) % TCP_ISN_PORT_COUNT);
}
