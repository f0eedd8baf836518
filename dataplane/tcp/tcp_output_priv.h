/* Segments we send. What leaves when: tcp_output() at the end of a poll round, the rest at once. */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

/* Data again, new data, FIN and ACK, as far as windows allow; then the timers that follow from it.
 */
void tcp_output(struct tcp_conn *conn, uint64_t now_us);
/* An ACK alone. */
void tcp_output_ack(struct tcp_conn *conn, uint64_t now_us);
/* An ACK that the peer did not ask for, up to a limit a connection and second (RFC 5961 §7). */
void tcp_output_challenge(struct tcp_conn *conn, uint64_t now_us);
/* SYN or SYN-ACK, as the state is; first time or again. */
void tcp_output_syn(struct tcp_conn *conn, uint64_t now_us);
/* RST at snd_nxt. */
void tcp_output_rst(struct tcp_conn *conn, uint64_t now_us);
/* An octet (or FIN) beyond a closed window, so that the peer tells of its window (RFC 9293
 * §3.8.6.1). */
void tcp_output_window_probe(struct tcp_conn *conn, uint64_t now_us);
/* An empty segment with an old number, to which a living peer answers (RFC 9293 §3.8.4). */
void tcp_output_keepalive(struct tcp_conn *conn, uint64_t now_us);
/* New data if there is any, or the last segment again (RFC 8985 §7.3). */
void tcp_output_tail_probe(struct tcp_conn *conn, uint64_t now_us);

/* A segment of no connection: ports are filled from `tuple`, the rest is as in `h`. */
void tcp_output_stateless(struct tcp_stack *stack, const struct tcp_tuple *tuple,
	const uint8_t peer_mac[6], struct tcp_header *h, uint64_t now_us);
/* The RST that answers a segment which belongs to nothing (RFC 9293 §3.10.7.1); none for an RST. */
void tcp_output_reject(const struct tcp_in *in);
