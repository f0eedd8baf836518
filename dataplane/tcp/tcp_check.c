#include "dataplane/tcp/tcp_check_priv.h"

#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"

/* RFC 7323 §5.5: a timestamp kept longer than this says nothing. */
#define TS_RECENT_LIFE_MS (24u * 86400u * 1000u)

/* --- sequence --- */

static bool paws_rejects(const struct tcp_conn *conn, const struct tcp_in *in)
{
	/* A segment without timestamp is let pass, as kernels do: some middleboxes make such ones.
	 */
	if (!tcp_conn_has(conn, TCP_F_TS) || !(in->h.has & TCP_HAS_TS))
		return false;
	if (!tcp_seq_lt(in->h.ts_val, conn->ts_recent))
		return false;
	return tcp_clock_ms(in->now_us) - conn->ts_recent_ms < TS_RECENT_LIFE_MS;
}

/*
 * The table of §3.4, but for two allowances that kernels make too: an empty segment, and the head
 * of any, may lie on the right edge, so that ACKs and probes are heard while the window is shut.
 */
static bool in_window(const struct tcp_conn *conn, const struct tcp_in *in)
{
	uint32_t space = tcp_in_space(in);

	if (tcp_seq_gt(in->seq, conn->rcv_adv))
		return false;
	if (space == 0)
		return tcp_seq_ge(in->seq, conn->rcv_nxt);
	return tcp_seq_gt(in->seq + space, conn->rcv_nxt);
}

/* Data is always answered, the ACK for it may have got lost; anything else only so often (ACK
 * loops). */
static enum tcp_step_result refuse(struct tcp_conn *conn, struct tcp_in *in)
{
	/* Before it is open nothing leaves by itself. */
	if (in->len > 0 && !(in->h.flags & TCP_SYN) && conn->state >= TCP_ESTABLISHED) {
		if (tcp_conn_has(conn, TCP_F_SACK) && tcp_seq_lt(in->seq, conn->rcv_nxt)) {
			conn->dsack = (struct tcp_range){in->seq, in->seq + in->len};
			conn->flags |= TCP_F_DSACK;
		}
		conn->flags |= TCP_F_ACK_NOW;
		tcp_ready_output(conn);
	} else {
		tcp_output_challenge(conn, in->now_us);
	}
	return TCP_STEP_STOP;
}

static void heard(struct tcp_conn *conn, const struct tcp_in *in)
{
	conn->heard_us = in->now_us;
	if (conn->rexmit_kind != TCP_REXMIT_PERSIST)
		conn->probes = 0;
	memcpy(conn->peer_mac, in->net->src_mac, sizeof(conn->peer_mac));
	/* RFC 7323 §4.3: only segments that begin at or before what we last acknowledged. */
	if ((in->h.has & TCP_HAS_TS) && tcp_conn_has(conn, TCP_F_TS) &&
		tcp_seq_le(in->seq, conn->rcv_acked) && tcp_seq_ge(in->h.ts_val, conn->ts_recent)) {
		conn->ts_recent = in->h.ts_val;
		conn->ts_recent_ms = tcp_clock_ms(in->now_us);
	}
}

enum tcp_step_result tcp_check_sequence(struct tcp_conn *conn, struct tcp_in *in)
{
	if (in->h.flags & TCP_RST) /* has its own, narrower window in the next step */
		return TCP_STEP_NEXT;
	if (paws_rejects(conn, in)) {
		tcp_count(conn->stack, TCP_N_DROP_PAWS);
		return refuse(conn, in);
	}
	if (!in_window(conn, in)) {
		tcp_count(conn->stack, TCP_N_DROP_SEQUENCE);
		return refuse(conn, in);
	}
	heard(conn, in);
	return TCP_STEP_NEXT;
}

/* The peer's SYN again, or, both having opened at once, its SYN-ACK (RFC 9293 figure 8). */
static bool is_same_syn(const struct tcp_conn *conn, const struct tcp_in *in)
{
	return (in->h.flags & (TCP_SYN | TCP_RST)) == TCP_SYN && in->h.seq == conn->irs;
}

enum tcp_step_result tcp_check_handshake(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!is_same_syn(conn, in))
		return tcp_check_sequence(conn, in);
	if (!(in->h.flags & TCP_ACK)) {
		tcp_output_syn(conn, in->now_us);
		conn->syn_tries--; /* the peer's try, not one of ours */
		return TCP_STEP_STOP;
	}
	in->h.flags &= (uint8_t)~TCP_SYN;
	in->seq++;
	return tcp_check_sequence(conn, in);
}

/* --- RST --- */

/* RFC 5961 §3.2: only the very next number resets; one in the window is asked back. */
static bool rst_is_meant(struct tcp_conn *conn, struct tcp_in *in)
{
	if (in->h.seq == conn->rcv_nxt)
		return true;
	tcp_count(conn->stack, TCP_N_DROP_RST_SEQUENCE);
	if (tcp_seq_gt(in->h.seq, conn->rcv_nxt) && tcp_seq_lt(in->h.seq, conn->rcv_adv))
		tcp_output_challenge(conn, in->now_us);
	return false;
}

static enum tcp_step_result reset(struct tcp_conn *conn, enum tcp_failure failure)
{
	if (failure != TCP_FAIL_NONE)
		tcp_count(conn->stack, TCP_N_RESET_BY_PEER);
	tcp_conn_end(conn, failure);
	return TCP_STEP_GONE;
}

enum tcp_step_result tcp_check_rst(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_RST))
		return TCP_STEP_NEXT;
	if (!rst_is_meant(conn, in))
		return TCP_STEP_STOP;
	return reset(conn, TCP_FAIL_RESET);
}

enum tcp_step_result tcp_check_rst_handshake(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_RST))
		return TCP_STEP_NEXT;
	if (!rst_is_meant(conn, in))
		return TCP_STEP_STOP;
	return reset(conn, TCP_FAIL_REFUSED);
}

enum tcp_step_result tcp_check_rst_last(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_RST))
		return TCP_STEP_NEXT;
	if (!rst_is_meant(conn, in))
		return TCP_STEP_STOP;
	return reset(conn, conn->send.len > 0 ? TCP_FAIL_RESET : TCP_FAIL_NONE);
}

/* --- SYN --- */

enum tcp_step_result tcp_check_syn(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_SYN))
		return TCP_STEP_NEXT;
	tcp_count(conn->stack, TCP_N_DROP_SYN);
	tcp_output_challenge(conn, in->now_us); /* RFC 5961 §4.2 */
	return TCP_STEP_STOP;
}

enum tcp_step_result tcp_check_syn_handshake(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_SYN))
		return TCP_STEP_NEXT;
	if (tcp_conn_has(conn, TCP_F_ACTIVE))
		return tcp_check_syn(conn, in);
	/* Back to LISTEN: the peer has begun anew and will try again. */
	tcp_count(conn->stack, TCP_N_DROP_SYN);
	tcp_conn_end(conn, TCP_FAIL_RESET);
	return TCP_STEP_GONE;
}
