#include "dataplane/tcp/tcp_conn_priv.h"

#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_receive_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"
#include "dataplane/tcp/tcp_stack_priv.h"
#include "dataplane/tcp/tcp_timer_priv.h"

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[] = {
#define X(id, name) name,
		TCP_STATES(X)
#undef X
	};

	return state < TCP_STATE_COUNT ? names[state] : "?";
}

struct tcp_conn *tcp_conn_new(struct tcp_stack *stack, const struct tcp_tuple *tuple)
{
	struct tcp_conn *conn = slab_get(&stack->conns);

	if (!conn)
		return NULL;
	memset(conn, 0, sizeof(*conn));
	conn->stack = stack;
	conn->tuple = *tuple;
	conn->hash = tcp_tuple_hash(&stack->hash_key, tuple);
	conn->ts_offset = tcp_isn_timestamp_offset(&stack->isn, tuple);
	conn->rcv_mss = 536;
	conn->rexmit_at = conn->delack_at = conn->idle_at = UINT64_MAX;
	conn->heard_us = conn->progress_us = conn->sent_us = stack->now_us;
	tcp_rtt_init(&conn->rtt);
	tcp_table_insert(&stack->table, conn);
	conn->flags = TCP_F_IN_TABLE;
	return conn;
}

void tcp_conn_take_offer(struct tcp_conn *conn, uint16_t mss, uint8_t has, uint8_t wscale)
{
	uint16_t ours = net_mss(conn->stack->net, &conn->tuple.peer);

	if (!(has & TCP_HAS_MSS))
		mss = ip_addr_is_v4(&conn->tuple.peer) ? 536 : 1220; /* RFC 9293 §3.7.1 */
	if (mss > ours)
		mss = ours;
	conn->full_mss = mss < TCP_MSS_MIN ? TCP_MSS_MIN : mss;
	conn->snd_mss = conn->full_mss;
	if (has & TCP_HAS_TS)
		conn->flags |= TCP_F_TS;
	if (has & TCP_HAS_SACK_OK)
		conn->flags |= TCP_F_SACK;
	if (has & TCP_HAS_WSCALE) {
		conn->flags |= TCP_F_WSCALE;
		conn->snd_wscale = wscale;
	}
}

static void leave_half_open(struct tcp_conn *conn)
{
	if (!tcp_conn_has(conn, TCP_F_HALF_OPEN))
		return;
	conn->flags &= ~(uint32_t)TCP_F_HALF_OPEN;
	conn->stack->half_open--;
}

void tcp_conn_established(struct tcp_conn *conn, uint64_t now_us)
{
	struct tcp_stack *stack = conn->stack;
	bool active = tcp_conn_has(conn, TCP_F_ACTIVE);

	leave_half_open(conn);
	conn->state = TCP_ESTABLISHED;
	conn->flags |= TCP_F_COUNTED;
	conn->rexmit_kind = TCP_REXMIT_NONE;
	conn->rexmit_at = UINT64_MAX;
	conn->heard_us = conn->progress_us = now_us;
	stack->open++;
	tcp_count(stack, active ? TCP_N_OPENED_ACTIVE : TCP_N_OPENED_PASSIVE);
	tcp_loss_start(conn);
	if (tcp_conn_has(conn, TCP_F_FIN_QUEUED)) /* shut down before it was open */
		conn->state = TCP_FIN_WAIT_1;
	tcp_ready_add(conn, TCP_READY_OPENED);
	tcp_timer_keepalive(conn);
	tcp_ready_output(conn);
}

static void leave_protocol(struct tcp_conn *conn)
{
	struct tcp_stack *stack = conn->stack;

	leave_half_open(conn);
	if (tcp_conn_has(conn, TCP_F_COUNTED))
		stack->open--;
	if (tcp_conn_has(conn, TCP_F_IN_TABLE))
		tcp_table_remove(&stack->table, conn);
	conn->flags &= ~(uint32_t)(TCP_F_IN_TABLE | TCP_F_COUNTED);
	conn->state = TCP_CLOSED;
	conn->rexmit_at = conn->delack_at = conn->idle_at = UINT64_MAX;
	wheel_disarm(&stack->wheel, &conn->timer);
	tcp_loss_clear(conn);
	tcp_receive_drop_reasm(conn);
	if (conn->send.head) {
		unsigned freed =
			tcp_send_buffer_drop(&conn->send, &stack->send_blocks, conn->send.len);

		tcp_ready_feed(stack, freed);
	}
}

void tcp_conn_destroy(struct tcp_conn *conn)
{
	struct tcp_stack *stack = conn->stack;

	leave_protocol(conn);
	tcp_receive_drop_all(conn);
	tcp_ready_forget(conn);
	slab_put(&stack->conns, conn);
}

void tcp_conn_end(struct tcp_conn *conn, enum tcp_failure failure)
{
	leave_protocol(conn);
	if (!tcp_conn_has(conn, TCP_F_HELD)) {
		tcp_conn_destroy(conn);
		return;
	}
	conn->failure = (uint8_t)failure;
	if (failure != TCP_FAIL_NONE) {
		tcp_receive_drop_all(conn);
		conn->ready &= TCP_READY_OPENED;
		tcp_ready_add(conn, TCP_READY_FAILED);
	} else if (conn->rcv_unread == 0) {
		tcp_ready_add(conn, TCP_READY_CLOSED);
	}
}

void tcp_conn_time_wait(struct tcp_conn *conn, uint64_t now_us)
{
	struct tcp_stack *stack = conn->stack;
	struct tcp_timewait_entry *e;
	bool evicted;

	e = tcp_timewait_add(&stack->timewait, &conn->tuple, conn->hash, now_us, &evicted);
	if (evicted)
		tcp_count(stack, TCP_N_TIMEWAIT_EVICTED);
	e->snd_nxt = conn->snd_nxt;
	e->rcv_nxt = conn->rcv_nxt;
	e->has_ts = tcp_conn_has(conn, TCP_F_TS);
	e->ts_recent = conn->ts_recent;
	memcpy(e->peer_mac, conn->peer_mac, sizeof(e->peer_mac));
	tcp_conn_end(conn, TCP_FAIL_NONE);
}
