/* Segments that belong to no connection: TIME-WAIT, LISTEN and CLOSED (RFC 9293 §3.10.7.1, .2 and
 * .4). */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

/* The connection it turned out to open (by a cookie), on which its processing goes on; else NULL.
 */
struct tcp_conn *tcp_closed_input(struct tcp_in *in);
