#include "dataplane/tcp/tcp_closed_priv.h"

#include "dataplane/tcp/tcp_listen_priv.h"
#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"

/* Room between the numbers of a connection and those of the next under its name. */
#define REUSE_GAP 65537u

/* --- TIME-WAIT --- */

/* RFC 6191 and RFC 9293 §3.6.1: newer by its timestamp, or else by its number. */
static bool may_reuse(const struct tcp_timewait_entry *e, const struct tcp_in *in)
{
	if ((in->h.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return false;
	if (e->has_ts && (in->h.has & TCP_HAS_TS) && in->h.ts_val != e->ts_recent)
		return tcp_seq_gt(in->h.ts_val, e->ts_recent);
	return tcp_seq_gt(in->h.seq, e->rcv_nxt);
}

static void acknowledge(struct tcp_timewait_entry *e, struct tcp_in *in)
{
	struct tcp_header h = {.seq = e->snd_nxt, .ack = e->rcv_nxt, .flags = TCP_ACK};

	if (e->has_ts) {
		h.has = TCP_HAS_TS;
		h.ts_val = tcp_clock_ms(in->now_us) +
			   tcp_isn_timestamp_offset(&in->stack->isn, &in->tuple);
		h.ts_ecr = e->ts_recent;
	}
	tcp_output_stateless(in->stack, &in->tuple, in->net->src_mac, &h, in->now_us);
}

static void time_wait(struct tcp_timewait_entry *e, struct tcp_in *in)
{
	struct tcp_timewait *tw = &in->stack->timewait;

	tcp_count(in->stack, TCP_N_DROP_TIMEWAIT);
	if (in->h.flags & TCP_RST) {
		if (in->h.seq == e->rcv_nxt)
			tcp_timewait_remove(tw, e);
		return;
	}
	/* The pure ACK that a simultaneous close ends with needs no answer, and must not get one.
	 */
	if (tcp_in_space(in) == 0 && in->h.seq == e->rcv_nxt)
		return;
	if (in->h.flags & TCP_FIN)
		tcp_timewait_restart(tw, e, in->now_us);
	acknowledge(e, in);
}

/* --- LISTEN --- */

static void listen_syn(
	const struct tcp_listener *listener, struct tcp_in *in, const uint32_t *floor)
{
	if (in->h.flags & TCP_FIN) { /* nobody means it: a scan */
		tcp_count(in->stack, TCP_N_DROP_FLAGS);
		return;
	}
	tcp_listen_syn(listener, in, floor);
}

static struct tcp_conn *listen_input(
	const struct tcp_listener *listener, struct tcp_in *in, const uint32_t *floor)
{
	struct tcp_conn *conn = NULL;
	bool stale = false;

	if (in->h.flags & TCP_RST)
		return NULL;
	if (!(in->h.flags & TCP_ACK)) {
		if (in->h.flags & TCP_SYN)
			listen_syn(listener, in, floor);
		else
			tcp_count(in->stack, TCP_N_DROP_FLAGS);
		return NULL;
	}
	if (!(in->h.flags & TCP_SYN))
		conn = tcp_listen_cookie(listener, in, &stale);
	if (conn)
		return conn;
	if (stale) {
		tcp_count(in->stack, TCP_N_DROP_STALE_COOKIE);
		return NULL;
	}
	tcp_count(in->stack, TCP_N_DROP_NO_CONNECTION);
	tcp_output_reject(in);
	return NULL;
}

struct tcp_conn *tcp_closed_input(struct tcp_in *in)
{
	struct tcp_stack *stack = in->stack;
	const struct tcp_listener *listener = tcp_listen_find(stack, in->tuple.local_port);
	struct tcp_timewait_entry *e = tcp_timewait_find(&stack->timewait, &in->tuple, in->hash);
	uint32_t floor;

	if (e && listener && may_reuse(e, in)) {
		floor = e->snd_nxt + REUSE_GAP;
		tcp_timewait_remove(&stack->timewait, e);
		tcp_count(stack, TCP_N_TIMEWAIT_REUSED);
		return listen_input(listener, in, &floor);
	}
	if (e) {
		time_wait(e, in);
		return NULL;
	}
	if (listener)
		return listen_input(listener, in, NULL);
	tcp_count(stack, TCP_N_DROP_NO_LISTENER);
	tcp_output_reject(in);
	return NULL;
}
