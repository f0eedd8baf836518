/* The ACK of a segment (fifth in §3.10.7.4): what it acknowledges, what it says of windows and
 * losses. */
#pragma once

#include "dataplane/tcp/tcp_state_priv.h"

/* SYN-RECEIVED: the handshake ends here. */
enum tcp_step_result tcp_ack_handshake(struct tcp_conn *conn, struct tcp_in *in);
/* ESTABLISHED, CLOSE-WAIT and FIN-WAIT-2. */
enum tcp_step_result tcp_ack_open(struct tcp_conn *conn, struct tcp_in *in);
enum tcp_step_result tcp_ack_fin_wait_1(struct tcp_conn *conn, struct tcp_in *in);
enum tcp_step_result tcp_ack_closing(struct tcp_conn *conn, struct tcp_in *in);
enum tcp_step_result tcp_ack_last(struct tcp_conn *conn, struct tcp_in *in);

/* Takes the round-trip time that the segment's ACK or timestamp gives away. */
void tcp_ack_sample(struct tcp_conn *conn, const struct tcp_in *in);
