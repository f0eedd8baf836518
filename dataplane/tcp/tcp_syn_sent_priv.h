/* SYN-SENT (RFC 9293 §3.10.7.3): ACK, RST and SYN, in that order. */
#pragma once

#include "dataplane/tcp/tcp_state_priv.h"

enum tcp_step_result tcp_syn_sent_ack(struct tcp_conn *conn, struct tcp_in *in);
enum tcp_step_result tcp_syn_sent_rst(struct tcp_conn *conn, struct tcp_in *in);
enum tcp_step_result tcp_syn_sent_syn(struct tcp_conn *conn, struct tcp_in *in);
