/* Text and FIN of a segment (seventh and eighth in §3.10.7.4). */
#pragma once

#include "dataplane/tcp/tcp_state_priv.h"

enum tcp_step_result tcp_text_receive(struct tcp_conn *conn, struct tcp_in *in);
/* After the peer's FIN nothing may come. */
enum tcp_step_result tcp_text_late(struct tcp_conn *conn, struct tcp_in *in);
/* FIN, once all before it has come. */
enum tcp_step_result tcp_text_fin(struct tcp_conn *conn, struct tcp_in *in);
