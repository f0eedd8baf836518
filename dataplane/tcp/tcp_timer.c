#include "dataplane/tcp/tcp_timer_priv.h"

#include "dataplane/tcp/tcp_listen_priv.h"
#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_path_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"
#include "dataplane/tcp/tcp_undo_priv.h"

/* What a peer may put its ACK off by, beyond the round trip (RFC 8985 §7.2). */
#define PTO_DELAY_US  25000u  /* its timers, and work that comes between */
#define PTO_DELACK_US 200000u /* fewer than two full segments: it may wait for the second */
#define BACKOFF_MAX   10u

static uint64_t earliest(const struct tcp_conn *conn)
{
	uint64_t at = conn->rexmit_at;

	if (conn->delack_at < at)
		at = conn->delack_at;
	return conn->idle_at < at ? conn->idle_at : at;
}

void tcp_timer_sync(struct tcp_conn *conn)
{
	uint64_t at = earliest(conn);

	if (at == UINT64_MAX)
		return;
	if (!wheel_armed(&conn->timer) || at < conn->timer.deadline_us)
		wheel_arm(&conn->stack->wheel, &conn->timer, at);
}

/* --- choosing --- */

static bool has_unsent(const struct tcp_conn *conn)
{
	if (tcp_seq_lt(conn->snd_nxt, tcp_conn_data_end(conn)))
		return true;
	return tcp_conn_has(conn, TCP_F_FIN_QUEUED) && !tcp_conn_has(conn, TCP_F_FIN_SENT);
}

/*
 * Once a flight, when nothing is known to be lost; or in fast recovery where there is new data to
 * probe with, whose SACK tells that a repetition was lost too.
 */
static bool may_probe_tail(const struct tcp_conn *conn)
{
	if (conn->rtt.srtt_us == 0 || tcp_conn_has(conn, TCP_F_TAIL_PROBED))
		return false;
	return conn->loss.phase == TCP_LOSS_OPEN ||
	       (conn->loss.phase == TCP_LOSS_RECOVERY && conn->loss.board &&
		       tcp_seq_lt(conn->snd_nxt, tcp_conn_data_end(conn)));
}

static enum tcp_rexmit_kind choose(const struct tcp_conn *conn)
{
	if (conn->snd_una == conn->snd_nxt)
		return has_unsent(conn) ? TCP_REXMIT_PERSIST : TCP_REXMIT_NONE;
	if (conn->snd_wnd == 0)
		return TCP_REXMIT_PERSIST;
	if (tcp_loss_suspects(conn))
		return TCP_REXMIT_REORDER;
	if (may_probe_tail(conn))
		return TCP_REXMIT_TAIL;
	return TCP_REXMIT_RTO;
}

static uint64_t tail_delay(const struct tcp_conn *conn)
{
	uint64_t pto = 2 * (uint64_t)conn->rtt.srtt_us;

	pto += tcp_conn_flight(conn) < 2 * tcp_conn_payload(conn) ? PTO_DELACK_US : PTO_DELAY_US;
	return pto < conn->rtt.rto_us ? pto : conn->rtt.rto_us;
}

static uint64_t persist_delay(const struct tcp_conn *conn)
{
	unsigned shift = conn->probes < BACKOFF_MAX ? conn->probes : BACKOFF_MAX;
	uint64_t delay = (uint64_t)conn->rtt.rto_us << shift;

	return delay < TCP_RTO_MAX_US ? delay : TCP_RTO_MAX_US;
}

static void arm(struct tcp_conn *conn, enum tcp_rexmit_kind kind, uint64_t at)
{
	conn->rexmit_kind = (uint8_t)kind;
	conn->rexmit_at = at;
	tcp_timer_sync(conn);
}

void tcp_timer_rexmit(struct tcp_conn *conn, uint64_t now_us)
{
	enum tcp_rexmit_kind kind = choose(conn);

	switch (kind) {
	case TCP_REXMIT_NONE: arm(conn, kind, UINT64_MAX); break;
	case TCP_REXMIT_RTO: arm(conn, kind, now_us + conn->rtt.rto_us); break;
	case TCP_REXMIT_TAIL: arm(conn, kind, now_us + tail_delay(conn)); break;
	case TCP_REXMIT_REORDER: arm(conn, kind, now_us + tcp_loss_patience_us(conn)); break;
	case TCP_REXMIT_PERSIST:
		/* ACKs that leave the window shut do not put the probe off. */
		if (conn->rexmit_kind != TCP_REXMIT_PERSIST || conn->rexmit_at == UINT64_MAX)
			arm(conn, kind, now_us + persist_delay(conn));
		break;
	}
}

void tcp_timer_rexmit_stop(struct tcp_conn *conn)
{
	arm(conn, TCP_REXMIT_NONE, UINT64_MAX);
}

void tcp_timer_keepalive(struct tcp_conn *conn)
{
	uint32_t s = conn->stack->config.keepalive_s;

	if (tcp_conn_has(conn, TCP_F_ORPHAN))
		return;
	conn->idle_at = s ? conn->heard_us + (uint64_t)s * 1000000 : UINT64_MAX;
	tcp_timer_sync(conn);
}

/* --- running; each returns false when the connection is gone --- */

static bool run_syn(struct tcp_conn *conn, uint64_t now_us)
{
	bool passive = !tcp_conn_has(conn, TCP_F_ACTIVE);

	if (passive ? conn->syn_tries > TCP_SYN_RECEIVED_TRIES
		    : now_us - conn->progress_us >= TCP_SYN_GIVE_UP_US) {
		tcp_count(conn->stack, TCP_N_TIMED_OUT);
		tcp_conn_end(conn, TCP_FAIL_TIMEOUT);
		return false;
	}
	tcp_rtt_backoff(&conn->rtt);
	tcp_output_syn(conn, now_us);
	arm(conn, TCP_REXMIT_RTO, now_us + conn->rtt.rto_us);
	return true;
}

static bool give_up(struct tcp_conn *conn, uint64_t now_us)
{
	tcp_count(conn->stack, TCP_N_TIMED_OUT);
	tcp_output_rst(conn, now_us);
	tcp_conn_end(conn, TCP_FAIL_TIMEOUT);
	return false;
}

static bool run_timeout(struct tcp_conn *conn, uint64_t now_us)
{
	if (now_us - conn->progress_us >= TCP_GIVE_UP_US && conn->rtt.backoff >= TCP_GIVE_UP_TRIES)
		return give_up(conn, now_us);
	tcp_count(conn->stack, TCP_N_TIMEOUTS);
	tcp_undo_note(conn, now_us);
	tcp_loss_timeout(conn);
	tcp_rtt_backoff(&conn->rtt);
	tcp_path_timeout(conn, now_us);
	conn->rexmit_kind = TCP_REXMIT_NONE;
	tcp_output(conn, now_us);
	return true;
}

static bool run_persist(struct tcp_conn *conn, uint64_t now_us)
{
	if (now_us - conn->heard_us >= TCP_GIVE_UP_US && conn->probes > 1)
		return give_up(conn, now_us);
	if (conn->snd_wnd > 0) {
		conn->flags |= TCP_F_FORCE;
		conn->rexmit_kind = TCP_REXMIT_NONE;
		tcp_output(conn, now_us);
		return true;
	}
	tcp_output_window_probe(conn, now_us);
	if (conn->probes < UINT8_MAX)
		conn->probes++;
	arm(conn, TCP_REXMIT_PERSIST, now_us + persist_delay(conn));
	return true;
}

static bool run_rexmit(struct tcp_conn *conn, uint64_t now_us)
{
	enum tcp_rexmit_kind kind = conn->rexmit_kind;

	conn->rexmit_at = UINT64_MAX;
	if (conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED)
		return run_syn(conn, now_us);
	switch (kind) {
	case TCP_REXMIT_RTO: return run_timeout(conn, now_us);
	case TCP_REXMIT_TAIL:
		tcp_output_tail_probe(conn, now_us);
		arm(conn, TCP_REXMIT_RTO, now_us + conn->rtt.rto_us);
		return true;
	case TCP_REXMIT_REORDER:
		tcp_loss_out_of_patience(conn);
		conn->rexmit_kind = TCP_REXMIT_NONE;
		tcp_output(conn, now_us);
		return true;
	case TCP_REXMIT_PERSIST: return run_persist(conn, now_us);
	default: return true;
	}
}

static bool run_orphan(struct tcp_conn *conn, uint64_t now_us)
{
	bool lingered = tcp_conn_has(conn, TCP_F_FIN_ACKED);

	tcp_count(conn->stack, lingered ? TCP_N_LINGER_CUT : TCP_N_TIMED_OUT);
	tcp_output_rst(conn, now_us);
	tcp_conn_end(conn, lingered ? TCP_FAIL_LINGER : TCP_FAIL_TIMEOUT);
	return false;
}

static bool run_idle(struct tcp_conn *conn, uint64_t now_us)
{
	uint64_t idle_us = (uint64_t)conn->stack->config.keepalive_s * 1000000;

	if (tcp_conn_has(conn, TCP_F_ORPHAN))
		return run_orphan(conn, now_us);
	if (now_us - conn->heard_us < idle_us || conn->rexmit_kind != TCP_REXMIT_NONE) {
		/* Heard of since, or the retransmission timer watches over it. */
		conn->idle_at = (conn->rexmit_kind ? now_us : conn->heard_us) + idle_us;
		return true;
	}
	if (conn->probes >= TCP_KEEPALIVE_PROBES)
		return give_up(conn, now_us);
	conn->probes++;
	tcp_output_keepalive(conn, now_us);
	conn->idle_at = now_us + TCP_KEEPALIVE_EVERY_US;
	return true;
}

static void run_conn(struct tcp_conn *conn, uint64_t now_us)
{
	if (conn->delack_at <= now_us) {
		conn->delack_at = UINT64_MAX;
		tcp_output_ack(conn, now_us);
	}
	if (conn->rexmit_at <= now_us && !run_rexmit(conn, now_us))
		return;
	if (conn->idle_at <= now_us && !run_idle(conn, now_us))
		return;
	tcp_timer_sync(conn);
}

void tcp_timer_run(struct tcp_stack *stack, uint64_t now_us)
{
	struct wheel_timer *t;

	for (unsigned n = 0;
		n < TCP_TIMERS_AT_ONCE && (t = wheel_pop_expired(&stack->wheel, now_us)); n++)
		run_conn(WHEEL_OWNER(t, struct tcp_conn, timer), now_us);
	if (wheel_is_behind(&stack->wheel))
		tcp_count(stack, TCP_N_TIMERS_PUT_OFF);
	tcp_timewait_sweep(&stack->timewait, now_us);
	tcp_listen_remind(stack, now_us);
}
