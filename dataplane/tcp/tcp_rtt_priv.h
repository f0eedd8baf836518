/* Round-trip time and retransmission time-out (RFC 6298). */
#pragma once

#include <stdint.h>

#define TCP_RTO_INITIAL_US 1000000u
/* §2.4 says one second; every deployed stack uses this floor, and peers' delayed ACKs stay below
 * it. */
#define TCP_RTO_MIN_US 200000u
#define TCP_RTO_MAX_US 60000000u

struct tcp_rtt {
	uint32_t srtt_us; /* 0: nothing measured yet */
	uint32_t rttvar_us;
	uint32_t rto_us;  /* backed off while time-outs follow each other */
	uint32_t backoff; /* how often */
};

void tcp_rtt_init(struct tcp_rtt *r);
/* A round trip of a segment that was sent once (Karn) or told by a timestamp; ends any back-off. */
void tcp_rtt_sample(struct tcp_rtt *r, uint32_t rtt_us);
/* A time-out: double the next one (§5.5). */
void tcp_rtt_backoff(struct tcp_rtt *r);
