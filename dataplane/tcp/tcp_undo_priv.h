/*
 * A time-out that came too early, the line having only become slow: the first ACK after it echoes a
 * timestamp from before it (the Eifel detection of RFC 3522), and then nothing is sent again and
 * the congestion window comes back (RFC 4015).
 */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

/* The retransmission timer is about to be acted on. */
void tcp_undo_note(struct tcp_conn *conn, uint64_t now_us);
/* snd_una has just moved: the verdict. Before tcp_loss_ack(). */
void tcp_undo_judge(struct tcp_conn *conn, const struct tcp_in *in);
