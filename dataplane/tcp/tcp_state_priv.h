/*
 * The processing of a segment as a table of state and step (RFC 9293 §3.10.7): each row names what
 * a state does at each of the checks, which are taken in the order of the RFC.
 */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

enum tcp_step_result {
	TCP_STEP_NEXT,
	TCP_STEP_STOP, /* the segment is done with */
	TCP_STEP_GONE, /* so is the connection: do not look at it again */
};

typedef enum tcp_step_result (*tcp_step_fn)(struct tcp_conn *conn, struct tcp_in *in);

/* Security and precedence (third in the RFC) and the urgent pointer (sixth) ask for nothing. */
enum tcp_step {
	TCP_STEP_SEQUENCE,
	TCP_STEP_RST,
	TCP_STEP_SYN,
	TCP_STEP_ACK,
	TCP_STEP_TEXT,
	TCP_STEP_FIN,
	TCP_STEP_COUNT
};

void tcp_state_run(struct tcp_conn *conn, struct tcp_in *in);
