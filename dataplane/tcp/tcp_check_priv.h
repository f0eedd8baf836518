/*
 * The first checks of §3.10.7.4: sequence number with PAWS (RFC 7323 §5), RST and SYN, hardened as
 * RFC 5961 has it.
 */
#pragma once

#include "dataplane/tcp/tcp_state_priv.h"

enum tcp_step_result tcp_check_sequence(struct tcp_conn *conn, struct tcp_in *in);
/* The same in SYN-RECEIVED, where the SYN itself may come again. */
enum tcp_step_result tcp_check_handshake(struct tcp_conn *conn, struct tcp_in *in);

enum tcp_step_result tcp_check_rst(struct tcp_conn *conn, struct tcp_in *in);
enum tcp_step_result tcp_check_rst_handshake(struct tcp_conn *conn, struct tcp_in *in);
/* Both FINs have been sent: no more than the end of it, unless data is still on its way. */
enum tcp_step_result tcp_check_rst_last(struct tcp_conn *conn, struct tcp_in *in);

enum tcp_step_result tcp_check_syn(struct tcp_conn *conn, struct tcp_in *in);
enum tcp_step_result tcp_check_syn_handshake(struct tcp_conn *conn, struct tcp_in *in);
