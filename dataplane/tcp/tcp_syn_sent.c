#include "dataplane/tcp/tcp_syn_sent_priv.h"

#include "dataplane/tcp/tcp_ack_priv.h"
#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_timer_priv.h"

enum tcp_step_result tcp_syn_sent_ack(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_ACK) || in->h.ack == conn->snd_nxt)
		return TCP_STEP_NEXT;
	tcp_count(conn->stack, TCP_N_DROP_HANDSHAKE_ACK);
	tcp_output_reject(in);
	return TCP_STEP_STOP;
}

enum tcp_step_result tcp_syn_sent_rst(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_RST))
		return TCP_STEP_NEXT;
	if (!(in->h.flags & TCP_ACK)) {
		tcp_count(conn->stack, TCP_N_DROP_RST_SEQUENCE);
		return TCP_STEP_STOP;
	}
	tcp_conn_end(conn, TCP_FAIL_REFUSED);
	return TCP_STEP_GONE;
}

/* Everything that the peer's SYN says of it. */
static void take_syn(struct tcp_conn *conn, const struct tcp_in *in)
{
	conn->irs = in->h.seq;
	conn->rcv_nxt = conn->rcv_acked = in->h.seq + 1;
	conn->rcv_adv +=
		conn->rcv_nxt; /* our SYN offered that much from wherever the peer begins */
	conn->snd_wnd = conn->snd_max_wnd = in->h.window;
	conn->snd_wl1 = in->h.seq;
	conn->snd_wl2 = in->h.ack;
	conn->heard_us = in->now_us;
	memcpy(conn->peer_mac, in->net->src_mac, sizeof(conn->peer_mac));
	if (in->h.has & TCP_HAS_TS) {
		conn->ts_recent = in->h.ts_val;
		conn->ts_recent_ms = tcp_clock_ms(in->now_us);
	}
	tcp_conn_take_offer(conn, in->h.mss, in->h.has, in->h.wscale);
}

enum tcp_step_result tcp_syn_sent_syn(struct tcp_conn *conn, struct tcp_in *in)
{
	if (!(in->h.flags & TCP_SYN)) {
		tcp_count(conn->stack, TCP_N_DROP_FLAGS);
		return TCP_STEP_STOP;
	}
	take_syn(conn, in);
	if (in->h.flags & TCP_ACK) {
		conn->snd_una = in->h.ack;
		tcp_ack_sample(conn, in);
		conn->flags |= TCP_F_ACK_NOW;
		tcp_conn_established(conn, in->now_us);
		return TCP_STEP_STOP; /* text and FIN of a SYN-ACK come again */
	}
	/* Both opened at once. */
	conn->state = TCP_SYN_RECEIVED;
	conn->syn_tries = 0;
	tcp_output_syn(conn, in->now_us);
	conn->flags &= ~(uint32_t)TCP_F_TIMING;
	return TCP_STEP_STOP;
}
