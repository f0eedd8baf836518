/*
 * The times of a connection: retransmission (or tail-loss probe, or persist), delayed ACK, and the
 * idle ones (keepalive, or the end of lingering). One wheel timer wakes for the earliest; a time
 * that moves back only lets it wake early once, so an ACK that pushes a time-out ahead costs
 * nothing.
 */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

#define TCP_DELACK_US  40000u     /* below every peer's minimum time-out; RFC 9293 allows 500 ms */
#define TCP_GIVE_UP_US 180000000u /* R2 of RFC 9293 §3.8.3 */
#define TCP_GIVE_UP_TRIES                                                                          \
	10u /* and at least so many time-outs in a row: a bad line is no dead one */
#define TCP_SYN_GIVE_UP_US     190000000u /* at least three minutes, same place */
#define TCP_SYN_RECEIVED_TRIES 5u         /* 31 s; a half-open entry is not worth more */
#define TCP_ORPHAN_US          120000000u /* the most a closed connection may take to deliver its rest */
#define TCP_KEEPALIVE_PROBES   8u
#define TCP_KEEPALIVE_EVERY_US 15000000u
/* Timers run in one poll round, so that a million due together keep nobody waiting. */
#define TCP_TIMERS_AT_ONCE 512u

/* Makes the wheel wake for the earliest time. */
void tcp_timer_sync(struct tcp_conn *conn);
/* Chooses the retransmission timer that the state of sending asks for, from now on. */
void tcp_timer_rexmit(struct tcp_conn *conn, uint64_t now_us);
void tcp_timer_rexmit_stop(struct tcp_conn *conn);
/* Keepalive counts anew from when the peer was last heard. */
void tcp_timer_keepalive(struct tcp_conn *conn);
/* Runs what is due: TCP_TIMERS_AT_ONCE of it, the rest in the rounds that follow at once. */
void tcp_timer_run(struct tcp_stack *stack, uint64_t now_us);
