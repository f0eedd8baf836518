/*
 * What has come in and is not yet consumed: the queue of packets, the memory they pin, and the
 * window offered (RFC 9293 §3.8.6).
 */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

/*
 * The window field for a segment leaving now, before scaling down by `shift`; moves rcv_adv. Never
 * takes back what was offered, and offers more only in steps worth a segment (§3.8.6.2.2).
 */
uint16_t tcp_receive_window(struct tcp_conn *conn, unsigned shift);
/* True if the window could be opened by so much that the peer should be told at once. */
bool tcp_receive_window_news(const struct tcp_conn *conn);

/* Takes the payload of a segment whose sequence number is acceptable; may keep in->pkt. */
void tcp_receive_segment(struct tcp_conn *conn, struct tcp_in *in);
/* Octets off the front of the queue. */
void tcp_receive_consume(struct tcp_conn *conn, uint32_t n);
void tcp_receive_drop_reasm(struct tcp_conn *conn);
void tcp_receive_drop_all(struct tcp_conn *conn);
