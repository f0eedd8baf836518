/*
 * Ports that take connections: the LISTEN state of RFC 9293 §3.10.7.2, half-open entries, and the
 * SYN cookies that answer instead once there are too many.
 */
#pragma once

#include "dataplane/tcp/tcp_stack_priv.h"

const struct tcp_listener *tcp_listen_find(const struct tcp_stack *stack, uint16_t port);

/* A SYN without ACK for a listening port. `iss_floor`, if not NULL, is what our ISS must lie above
 * (RFC 6191). */
void tcp_listen_syn(
	const struct tcp_listener *listener, struct tcp_in *in, const uint32_t *iss_floor);
/*
 * An ACK for a listening port: the connection in SYN-RECEIVED that its cookie proves, or NULL, and
 * then `stale` tells whether to keep silent: it may belong to a cookie whose third ACK is still to
 * come again.
 */
struct tcp_conn *tcp_listen_cookie(
	const struct tcp_listener *listener, struct tcp_in *in, bool *stale);
/* Sends cookies again whose ACK has not come. */
void tcp_listen_remind(struct tcp_stack *stack, uint64_t now_us);
