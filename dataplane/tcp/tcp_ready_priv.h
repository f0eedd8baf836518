/* The lists of a stack: connections with news for the consumer, with something to send, waiting for
 * memory. */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

/* Tells the consumer of `what` (enum tcp_ready). */
void tcp_ready_add(struct tcp_conn *conn, unsigned what);
/* tcp_output() is to look at it at the next flush. */
void tcp_ready_output(struct tcp_conn *conn);
/* It found no send block; wakes when one is free. */
void tcp_ready_starve(struct tcp_conn *conn);
/* Up to `n` blocks became free: tells as many starved connections that they may write. */
void tcp_ready_feed(struct tcp_stack *stack, unsigned n);
/* Out of every list. */
void tcp_ready_forget(struct tcp_conn *conn);
