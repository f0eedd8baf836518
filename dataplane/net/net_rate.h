/* A token bucket on the caller's time: `per_s` on average, `burst` at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct net_rate {
	uint64_t last_us;
	uint64_t credit; /* millionths of a token */
	uint32_t per_s;
	uint32_t burst;
};

#define NET_RATE_TOKEN 1000000u

static inline void net_rate_init(
	struct net_rate *r, uint32_t per_s, uint32_t burst, uint64_t now_us)
{
	*r = (struct net_rate){now_us, (uint64_t)burst * NET_RATE_TOKEN, per_s, burst};
}

static inline bool net_rate_take(struct net_rate *r, uint64_t now_us)
{
	uint64_t full = (uint64_t)r->burst * NET_RATE_TOKEN;
	uint64_t elapsed = now_us > r->last_us ? now_us - r->last_us : 0;

	if (elapsed >= full / r->per_s + 1 || r->credit + elapsed * r->per_s >= full)
		r->credit = full;
	else
		r->credit += elapsed * r->per_s;
	r->last_us = now_us;
	if (r->credit < NET_RATE_TOKEN)
		return false;
	r->credit -= NET_RATE_TOKEN;
	return true;
}
