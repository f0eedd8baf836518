/*
 * Congestion control and loss recovery: NewReno (RFC 5681, 6582) with an initial window of ten
 * segments (RFC 6928), led by the peer's SACK where it gives it (RFC 6675), and limited transmit
 * (RFC 3042).
 *
 * snd_nxt is always the highest number sent. While a phase of recovery lasts, `again` moves from
 * snd_una towards what counts as lost, so nothing is sent again twice in one phase.
 */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

#define TCP_DUP_THRESH 3u

uint32_t tcp_loss_initial_window(const struct tcp_conn *conn);
/* At the end of the handshake: begin with it. */
void tcp_loss_start(struct tcp_conn *conn);
/* Gives the scoreboard back. */
void tcp_loss_clear(struct tcp_conn *conn);

/*
 * Notes the SACK blocks of a segment; true if they told something new. A block below the cumulative
 * ACK (RFC 2883) sets `duplicate`.
 */
bool tcp_loss_sack(struct tcp_conn *conn, const struct tcp_header *h, bool *duplicate);
/* snd_una has just moved by `acked`: grow, go on, or leave recovery. */
void tcp_loss_ack(struct tcp_conn *conn, uint32_t acked);
/* A duplicate ACK (RFC 5681 §2): may begin fast recovery. */
void tcp_loss_duplicate(struct tcp_conn *conn);
/*
 * Something behind a gap has arrived, too little to call the gap a loss by counting: after
 * tcp_loss_patience_us() it is one by time (after RFC 8985, with the first report of the gap for
 * the clock of each segment). This mends what a small window, or a repetition that is lost in turn,
 * would leave to the time-out.
 */
bool tcp_loss_suspects(const struct tcp_conn *conn);
uint32_t tcp_loss_patience_us(const struct tcp_conn *conn);
void tcp_loss_out_of_patience(struct tcp_conn *conn);
/* The retransmission timer ran out (RFC 5681 §3.1): everything in flight counts as lost. */
void tcp_loss_timeout(struct tcp_conn *conn);
/* Everything in flight is to go again, though nobody is to blame: smaller MTU, window reopened. */
void tcp_loss_rewind(struct tcp_conn *conn);
/* A tail-loss probe made good a loss that nothing else would have told of: halve as for any loss.
 */
void tcp_loss_blame(struct tcp_conn *conn);
/* Nothing was sent for longer than a time-out (RFC 5681 §4.1). */
void tcp_loss_idle_restart(struct tcp_conn *conn);

/* Octets believed to be on their way. */
uint32_t tcp_loss_pipe(const struct tcp_conn *conn);
/* What is to be sent again next: [start, end), which may be longer than a segment. */
bool tcp_loss_next(const struct tcp_conn *conn, struct tcp_range *hole);
/* Octets [start, end) were sent again. */
void tcp_loss_sent_again(struct tcp_conn *conn, uint32_t start, uint32_t end);
