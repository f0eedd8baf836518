/*
 * Numbers that must be hard to guess and need no memory: initial sequence numbers (RFC 6528), the
 * offset of timestamps (RFC 7323 §5.4) and ephemeral ports (RFC 6056 §3.3.3). All are keyed hashes
 * of the connection's name under one secret that every lcore shares.
 */
#pragma once

#include "dataplane/tcp/tcp_tuple_priv.h"

struct tcp_isn {
	struct siphash_key sequence, timestamp, port, cookie;
	bool forced; /* the next number is this, once */
	uint32_t forced_number;
};

#define TCP_ISN_PORT_FIRST 16384u /* ephemeral ports: above what servers use, RFC 6056 §3.2 */
#define TCP_ISN_PORT_COUNT (65536u - TCP_ISN_PORT_FIRST)

/* Derives one key a purpose from the secret. */
void tcp_isn_init(struct tcp_isn *isn, const uint8_t secret[16]);
/* ISN = M + F(tuple, key), M a clock of 4 us; or what tcp_isn_force() said, once. */
uint32_t tcp_isn_sequence(struct tcp_isn *isn, const struct tcp_tuple *t, uint64_t now_us);
void tcp_isn_force(struct tcp_isn *isn, uint32_t number);
/* What is added to the millisecond clock to give the TSval of this connection. */
uint32_t tcp_isn_timestamp_offset(const struct tcp_isn *isn, const struct tcp_tuple *t);
/* The n-th port to try from `local` to `peer`, whose ports in `t` count but for the local one. */
uint16_t tcp_isn_port(const struct tcp_isn *isn, const struct tcp_tuple *t, uint32_t n);
