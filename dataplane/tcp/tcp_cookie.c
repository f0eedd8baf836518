#include "dataplane/tcp/tcp_cookie_priv.h"

/* The MSS values that three bits can name: what the SYN offers is rounded down to one of them. */
static const uint16_t mss_table[8] = {256, 536, 1024, 1220, 1360, 1400, 1440, 1460};

enum { TS_WSCALE_MASK = 0xf, TS_NO_WSCALE = 0xf, TS_SACK = 0x10 };

static unsigned mss_index(uint16_t mss)
{
	unsigned i = 7;

	while (i > 0 && mss_table[i] > mss)
		i--;
	return i;
}

static uint32_t hash24(const struct tcp_isn *isn, const struct tcp_tuple *t, uint32_t peer_isn,
	unsigned index, uint64_t tick)
{
	uint64_t words[TCP_TUPLE_WORDS + 2];

	tcp_tuple_words(t, words);
	words[TCP_TUPLE_WORDS] = (uint64_t)index << 32 | peer_isn;
	words[TCP_TUPLE_WORDS + 1] = tick;
	return (uint32_t)siphash_words(&isn->cookie, words, TCP_TUPLE_WORDS + 2) & 0xffffff;
}

uint32_t tcp_cookie_make(const struct tcp_isn *isn, const struct tcp_tuple *t, uint32_t peer_isn,
	const struct tcp_cookie *offer, uint64_t now_us)
{
	uint64_t tick = now_us >> TCP_COOKIE_TICK_SHIFT;
	unsigned index = mss_index(offer->mss);

	return (uint32_t)(tick & 31) << 27 | index << 24 | hash24(isn, t, peer_isn, index, tick);
}

uint32_t tcp_cookie_timestamp(const struct tcp_cookie *offer, uint32_t ts_now)
{
	uint32_t low = offer->has_wscale ? offer->wscale : TS_NO_WSCALE;
	uint32_t ts;

	if (offer->has_sack)
		low |= TS_SACK;
	ts = (ts_now & ~TCP_COOKIE_TS_MASK) | low;
	/* Never ahead of the clock, or the next true timestamp would look old. */
	return (int32_t)(ts - ts_now) > 0 ? ts - (1u << TCP_COOKIE_TS_BITS) : ts;
}

static void read_timestamp(uint32_t ts_ecr, struct tcp_cookie *offer)
{
	offer->has_wscale = (ts_ecr & TS_WSCALE_MASK) != TS_NO_WSCALE;
	offer->wscale = offer->has_wscale ? ts_ecr & TS_WSCALE_MASK : 0;
	offer->has_sack = (ts_ecr & TS_SACK) != 0;
}

bool tcp_cookie_check(const struct tcp_isn *isn, const struct tcp_tuple *t, uint32_t peer_isn,
	uint32_t iss, uint32_t ts_ecr, uint64_t now_us, struct tcp_cookie *offer)
{
	uint64_t tick = now_us >> TCP_COOKIE_TICK_SHIFT;
	uint32_t age = ((uint32_t)tick - (iss >> 27)) & 31;
	unsigned index = iss >> 24 & 7;

	if (age > 1 || age > tick)
		return false;
	if (hash24(isn, t, peer_isn, index, tick - age) != (iss & 0xffffff))
		return false;
	offer->mss = mss_table[index];
	offer->has_wscale = offer->has_sack = false;
	offer->wscale = 0;
	if (offer->has_ts)
		read_timestamp(ts_ecr, offer);
	return true;
}
