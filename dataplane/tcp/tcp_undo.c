#include "dataplane/tcp/tcp_undo_priv.h"

#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"

void tcp_undo_note(struct tcp_conn *conn, uint64_t now_us)
{
	struct tcp_loss *l = &conn->loss;

	if (l->phase == TCP_LOSS_TIMEOUT) /* the first one of a row is what is judged */
		return;
	l->undo_cwnd = 0;
	if (l->phase != TCP_LOSS_OPEN || !tcp_conn_has(conn, TCP_F_TS))
		return;
	l->undo_cwnd = l->cwnd;
	l->undo_ssthresh = l->ssthresh;
	l->undo_ts = tcp_clock_ms(now_us) + conn->ts_offset;
}

/* As fast as before, but without a burst for what was acknowledged meanwhile. */
static void undo(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;
	uint32_t calm = tcp_conn_flight(conn) + tcp_loss_initial_window(conn);

	l->phase = TCP_LOSS_OPEN;
	l->ssthresh = tcp_max_u32(l->undo_ssthresh, l->undo_cwnd);
	l->cwnd = tcp_max_u32(l->cwnd, tcp_min_u32(l->undo_cwnd, calm));
	tcp_count(conn->stack, TCP_N_TIMEOUTS_UNDONE);
}

void tcp_undo_judge(struct tcp_conn *conn, const struct tcp_in *in)
{
	struct tcp_loss *l = &conn->loss;

	if (l->undo_cwnd == 0)
		return;
	if (l->phase == TCP_LOSS_TIMEOUT && (in->h.has & TCP_HAS_TS) && in->h.ts_ecr != 0 &&
		tcp_seq_lt(in->h.ts_ecr, l->undo_ts))
		undo(conn);
	l->undo_cwnd = 0;
}
