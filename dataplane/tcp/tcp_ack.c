#include "dataplane/tcp/tcp_ack_priv.h"

#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"
#include "dataplane/tcp/tcp_timer_priv.h"
#include "dataplane/tcp/tcp_undo_priv.h"

/* --- round trips --- */

void tcp_ack_sample(struct tcp_conn *conn, const struct tcp_in *in)
{
	uint32_t ms;

	if (tcp_conn_has(conn, TCP_F_TIMING) && tcp_seq_ge(in->h.ack, conn->timed_end)) {
		conn->flags &= ~(uint32_t)TCP_F_TIMING;
		tcp_rtt_sample(
			&conn->rtt, (uint32_t)tcp_min_u32((uint32_t)(in->now_us - conn->timed_us),
					    TCP_RTO_MAX_US));
		return;
	}
	/* The clock is finer than timestamps, which serve where segments went twice (RFC 7323
	 * §4.1). */
	if (conn->rtt.backoff == 0 && conn->loss.phase == TCP_LOSS_OPEN)
		return;
	if (!tcp_conn_has(conn, TCP_F_TS) || !(in->h.has & TCP_HAS_TS) || in->h.ts_ecr == 0)
		return;
	ms = tcp_clock_ms(in->now_us) + conn->ts_offset - in->h.ts_ecr;
	if (ms <= TCP_RTO_MAX_US / 1000)
		tcp_rtt_sample(&conn->rtt, ms == 0 ? 500 : ms * 1000);
}

/* --- acknowledged octets --- */

static void tell_consumer(struct tcp_conn *conn)
{
	if (tcp_conn_has(conn, TCP_F_WANT_WRITE) &&
		conn->send.len <= conn->stack->config.send_buffer_max / 2) {
		conn->flags &= ~(uint32_t)TCP_F_WANT_WRITE;
		tcp_ready_add(conn, TCP_READY_WRITABLE);
	}
	if (conn->send.len == 0 && tcp_conn_has(conn, TCP_F_UNSENT_SIGNAL)) {
		conn->flags &= ~(uint32_t)TCP_F_UNSENT_SIGNAL;
		tcp_ready_add(conn, TCP_READY_SENT);
	}
}

/*
 * RFC 8985 §7.4: a probe that was a retransmission has mended a loss unless the peer saw it twice;
 * the verdict falls with the first ACK beyond it.
 */
static void judge_tail_probe(struct tcp_conn *conn, uint32_t ack, bool duplicate)
{
	if (tcp_conn_has(conn, TCP_F_TAIL_PROBED) && tcp_seq_ge(ack, conn->loss.tail_end))
		conn->flags &= ~(uint32_t)TCP_F_TAIL_PROBED;
	if (!tcp_conn_has(conn, TCP_F_TAIL_AGAIN) || tcp_seq_lt(ack, conn->loss.tail_end))
		return;
	if (!duplicate && ack == conn->loss.tail_end)
		return;
	conn->flags &= ~(uint32_t)TCP_F_TAIL_AGAIN;
	if (!duplicate)
		tcp_loss_blame(conn);
}

static void take_acked(struct tcp_conn *conn, const struct tcp_in *in)
{
	uint32_t acked = in->h.ack - conn->snd_una;
	uint32_t octets = tcp_min_u32(acked, conn->send.len);

	tcp_ack_sample(conn, in);
	if (octets > 0)
		tcp_ready_feed(conn->stack,
			tcp_send_buffer_drop(&conn->send, &conn->stack->send_blocks, octets));
	conn->snd_una = in->h.ack;
	if (tcp_conn_has(conn, TCP_F_FIN_SENT) && conn->snd_una == conn->snd_nxt)
		conn->flags |= TCP_F_FIN_ACKED;
	conn->progress_us = in->now_us;
	tcp_undo_judge(conn, in);
	tcp_loss_ack(conn, acked);
	tell_consumer(conn);
}

/* --- windows --- */

/* True if the window is another one now (RFC 9293 §3.10.7.4, SND.WL1 and SND.WL2). */
static bool take_window(struct tcp_conn *conn, const struct tcp_in *in)
{
	uint32_t window = in->h.window;
	uint32_t before = conn->snd_wnd;

	if (tcp_conn_has(conn, TCP_F_WSCALE))
		window <<= conn->snd_wscale;
	if (tcp_seq_gt(conn->snd_wl1, in->h.seq) ||
		(conn->snd_wl1 == in->h.seq && tcp_seq_gt(conn->snd_wl2, in->h.ack)))
		return false;
	conn->snd_wnd = window;
	conn->snd_wl1 = in->h.seq;
	conn->snd_wl2 = in->h.ack;
	conn->snd_max_wnd = tcp_max_u32(conn->snd_max_wnd, window);
	return window != before;
}

static void window_reopened(struct tcp_conn *conn)
{
	conn->rexmit_kind = TCP_REXMIT_NONE;
	conn->probes = 0;
	if (tcp_conn_flight(conn) > 0) /* probes, or what a shrunk window cut off */
		tcp_loss_rewind(conn);
}

/* --- the ACK --- */

/* RFC 5681 §2, the definition of a duplicate acknowledgement. */
static bool is_duplicate(const struct tcp_conn *conn, const struct tcp_in *in, bool window_moved)
{
	return in->h.ack == conn->snd_una && tcp_conn_flight(conn) > 0 && in->len == 0 &&
	       !(in->h.flags & (TCP_SYN | TCP_FIN)) && !window_moved;
}

static void restart_timer(struct tcp_conn *conn, uint64_t now_us)
{
	/* With nothing in flight the flush to come knows which timer it leaves behind. */
	if (tcp_conn_flight(conn) == 0 && conn->rexmit_kind != TCP_REXMIT_PERSIST)
		tcp_timer_rexmit_stop(conn);
	else
		tcp_timer_rexmit(conn, now_us);
}

static void take_ack(struct tcp_conn *conn, const struct tcp_in *in)
{
	bool duplicate_seen, news, moved, advanced = tcp_seq_gt(in->h.ack, conn->snd_una);
	bool old = tcp_seq_lt(in->h.ack, conn->snd_una), was_shut = conn->snd_wnd == 0;

	news = tcp_loss_sack(conn, &in->h, &duplicate_seen);
	if (advanced)
		take_acked(conn, in);
	moved = !old && take_window(conn, in);
	if (news || (!advanced && !tcp_conn_has(conn, TCP_F_SACK) && is_duplicate(conn, in, moved)))
		tcp_loss_duplicate(conn);
	judge_tail_probe(
		conn, in->h.ack, duplicate_seen || (!advanced && is_duplicate(conn, in, moved)));
	if (was_shut && conn->snd_wnd > 0)
		window_reopened(conn);
	if (advanced || moved ||
		(tcp_loss_suspects(conn) && conn->rexmit_kind != TCP_REXMIT_REORDER))
		restart_timer(conn, in->now_us);
	if (conn->send.len > 0 || tcp_conn_has(conn, TCP_F_FIN_QUEUED))
		tcp_ready_output(conn);
}

/* RFC 9293 and RFC 5961 §5: neither what we never sent nor what is long past. */
static bool ack_in_range(const struct tcp_conn *conn, uint32_t ack)
{
	return tcp_seq_le(ack, conn->snd_nxt) && tcp_seq_ge(ack, conn->snd_una - conn->snd_max_wnd);
}

enum tcp_step_result tcp_ack_open(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_ACK)) {
		tcp_count(conn->stack, TCP_N_DROP_NO_ACK);
		return TCP_STEP_STOP;
	}
	if (!ack_in_range(conn, in->h.ack)) {
		tcp_count(conn->stack, TCP_N_DROP_ACK_RANGE);
		tcp_output_challenge(conn, in->now_us);
		return TCP_STEP_STOP;
	}
	take_ack(conn, in);
	return TCP_STEP_NEXT;
}

enum tcp_step_result tcp_ack_handshake(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_ACK)) {
		tcp_count(conn->stack, TCP_N_DROP_NO_ACK);
		return TCP_STEP_STOP;
	}
	if (in->h.ack != conn->snd_nxt) {
		tcp_count(conn->stack, TCP_N_DROP_HANDSHAKE_ACK);
		tcp_output_reject(in);
		return TCP_STEP_STOP;
	}
	conn->snd_una = conn->snd_nxt;
	conn->snd_wl1 = in->h.seq - 1; /* whatever window this segment tells is the one */
	tcp_ack_sample(conn, in);
	tcp_conn_established(conn, in->now_us);
	take_ack(conn, in);
	return TCP_STEP_NEXT;
}

/* FIN acknowledged: now the peer may still send, to a closed connection only so long. */
static void fin_acked(struct tcp_conn *conn, uint64_t now_us)
{
	uint64_t end = now_us + (uint64_t)conn->stack->config.linger_ms * 1000;

	conn->state = TCP_FIN_WAIT_2;
	if (tcp_conn_has(conn, TCP_F_ORPHAN) && end < conn->idle_at) {
		conn->idle_at = end;
		tcp_timer_sync(conn);
	}
}

enum tcp_step_result tcp_ack_fin_wait_1(struct tcp_conn *conn, struct tcp_in *in)
{
	enum tcp_step_result result = tcp_ack_open(conn, in);

	if (result == TCP_STEP_NEXT && tcp_conn_has(conn, TCP_F_FIN_ACKED))
		fin_acked(conn, in->now_us);
	return result;
}

enum tcp_step_result tcp_ack_closing(struct tcp_conn *conn, struct tcp_in *in)
{
	enum tcp_step_result result = tcp_ack_open(conn, in);

	if (result != TCP_STEP_NEXT || !tcp_conn_has(conn, TCP_F_FIN_ACKED))
		return result;
	tcp_conn_time_wait(conn, in->now_us);
	return TCP_STEP_GONE;
}

enum tcp_step_result tcp_ack_last(struct tcp_conn *conn, struct tcp_in *in)
{
	enum tcp_step_result result = tcp_ack_open(conn, in);

	if (result != TCP_STEP_NEXT || !tcp_conn_has(conn, TCP_F_FIN_ACKED))
		return result;
	tcp_conn_end(conn, TCP_FAIL_NONE);
	return TCP_STEP_GONE;
}
