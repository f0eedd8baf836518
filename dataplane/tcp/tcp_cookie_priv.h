/*
 * SYN cookies: an ISS that proves the peer's address and carries what its SYN offered, so that no
 * memory is held before (RFC 4987 §3.6). MSS travels in the sequence number; window scale and SACK
 * in the low bits of our timestamp, where the peer sends timestamps.
 *
 * Layout of the ISS: 5 bits of time, 3 bits of MSS index, 24 bits of keyed hash.
 */
#pragma once

#include "dataplane/tcp/tcp_isn_priv.h"

/* One tick is 67 s; a cookie of this and of the last tick is taken. */
#define TCP_COOKIE_TICK_SHIFT 26
#define TCP_COOKIE_TS_BITS    6
#define TCP_COOKIE_TS_MASK    ((1u << TCP_COOKIE_TS_BITS) - 1)

struct tcp_cookie {
	uint16_t mss;
	bool has_ts, has_wscale, has_sack;
	uint8_t wscale;
};

/* The ISS towards a peer whose SYN had `peer_isn` and offered `offer`. */
uint32_t tcp_cookie_make(const struct tcp_isn *isn, const struct tcp_tuple *t, uint32_t peer_isn,
	const struct tcp_cookie *offer, uint64_t now_us);
/* `ts_now`, or a little before, with the offer in its low bits. */
uint32_t tcp_cookie_timestamp(const struct tcp_cookie *offer, uint32_t ts_now);

/*
 * True if `iss` is a cookie of ours not older than two ticks; then `offer` is what the SYN offered.
 * `ts_ecr` is the peer's echo of our timestamp, looked at where offer->has_ts is set by the caller.
 */
bool tcp_cookie_check(const struct tcp_isn *isn, const struct tcp_tuple *t, uint32_t peer_isn,
	uint32_t iss, uint32_t ts_ecr, uint64_t now_us, struct tcp_cookie *offer);
