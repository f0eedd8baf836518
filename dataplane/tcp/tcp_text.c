#include "dataplane/tcp/tcp_text_priv.h"

#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_receive_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"

/* A closed connection reads and throws away, so that its last reply survives, but only so much
 * (DESIGN §5). */
static enum tcp_step_result discard(struct tcp_conn *conn, uint64_t now_us)
{
	conn->discarded += conn->rcv_unread;
	tcp_receive_consume(conn, conn->rcv_unread);
	if (conn->discarded <= conn->stack->config.linger_bytes)
		return TCP_STEP_NEXT;
	tcp_count(conn->stack, TCP_N_LINGER_CUT);
	tcp_output_rst(conn, now_us);
	tcp_conn_end(conn, TCP_FAIL_LINGER);
	return TCP_STEP_GONE;
}

enum tcp_step_result tcp_text_receive(struct tcp_conn *conn, struct tcp_in *in)
{
	if (in->len == 0 && !(in->h.flags & TCP_FIN))
		return TCP_STEP_NEXT;
	tcp_receive_segment(conn, in);
	if (tcp_conn_has(conn, TCP_F_ORPHAN))
		return discard(conn, in->now_us);
	return TCP_STEP_NEXT;
}

enum tcp_step_result tcp_text_late(struct tcp_conn *conn, struct tcp_in *in)
{
	if (in->len > 0)
		tcp_count(conn->stack, TCP_N_DROP_AFTER_FIN);
	return TCP_STEP_STOP;
}

enum tcp_step_result tcp_text_fin(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!tcp_conn_has(conn, TCP_F_FIN_SEEN) || conn->rcv_nxt != conn->rcv_fin)
		return TCP_STEP_NEXT;
	conn->rcv_nxt++;
	conn->rcv_adv = tcp_seq_max(conn->rcv_adv, conn->rcv_nxt);
	conn->flags |= TCP_F_PEER_SHUT | TCP_F_ACK_NOW;
	tcp_receive_drop_reasm(conn);
	tcp_ready_add(conn, TCP_READY_PEER_SHUT);
	switch (conn->state) {
	case TCP_ESTABLISHED: conn->state = TCP_CLOSE_WAIT; break;
	case TCP_FIN_WAIT_1: conn->state = TCP_CLOSING; break;
	default: /* FIN-WAIT-2 */
		tcp_output_ack(conn, in->now_us);
		tcp_conn_time_wait(conn, in->now_us);
		return TCP_STEP_GONE;
	}
	tcp_ready_output(conn);
	return TCP_STEP_NEXT;
}
