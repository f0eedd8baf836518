/*
 * How large a segment the path carries: lowered by ICMP (RFC 1191, RFC 8201) or where large ones
 * vanish without a word (RFC 4821 §7.7), and tried in full again after ten minutes.
 */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

#define TCP_PATH_RAISE_S       600u /* RFC 1191 §6.3, RFC 8201 §4 */
#define TCP_PATH_HOLE_TIMEOUTS 2u   /* of the same full segment, before it is thought too large */

/* A verified ICMP error said that `mtu` is the most. */
void tcp_path_too_big(struct tcp_conn *conn, uint32_t mtu, uint64_t now_us);
/* The retransmission timer ran out once more. */
void tcp_path_timeout(struct tcp_conn *conn, uint64_t now_us);
/* Full segments again, if their time has come. */
void tcp_path_raise(struct tcp_conn *conn, uint64_t now_us);
