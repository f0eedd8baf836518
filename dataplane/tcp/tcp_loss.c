#include "dataplane/tcp/tcp_loss_priv.h"

#include "dataplane/tcp/tcp_seq_priv.h"

#define IW_SEGMENTS     10u
#define IW_OCTETS       14600u
#define CWND_MAX        (1u << 28)
#define PATIENCE_MIN_US 2000u
#define PATIENCE_MAX    4u /* a whole round trip, where duplicates show that the path reorders */
#define SLOW_START_STEP 2u /* segments an ACK: L of RFC 3465, since we are fed stretched ACKs */

uint32_t tcp_loss_initial_window(const struct tcp_conn *conn)
{
	uint32_t mss = tcp_conn_payload(conn);

	return tcp_min_u32(IW_SEGMENTS * mss, tcp_max_u32(2 * mss, IW_OCTETS));
}

void tcp_loss_start(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;

	/* RFC 6928 §2: a handshake that lost a segment begins carefully. */
	l->cwnd = conn->syn_tries > 1 ? tcp_conn_payload(conn) : tcp_loss_initial_window(conn);
	l->ssthresh = CWND_MAX;
	l->phase = TCP_LOSS_OPEN;
	l->dupacks = 0;
	l->counted = 0;
	l->patience = 1;
	l->again = l->recover = l->deemed_lost = conn->snd_una;
}

void tcp_loss_clear(struct tcp_conn *conn)
{
	if (conn->loss.board)
		slab_put(&conn->stack->scoreboards, conn->loss.board);
	conn->loss.board = NULL;
}

/* --- what the peer holds --- */

static uint32_t held(const struct tcp_conn *conn, uint32_t from, uint32_t to)
{
	if (!conn->loss.board || !tcp_seq_lt(from, to))
		return 0;
	return tcp_scoreboard_within(conn->loss.board, from, to);
}

static uint32_t not_held(const struct tcp_conn *conn, uint32_t from, uint32_t to)
{
	return tcp_seq_lt(from, to) ? to - from - held(conn, from, to) : 0;
}

/* Without SACK each duplicate ACK stands for one segment that has arrived somewhere behind the
 * first. */
static uint32_t arrived_unnamed(const struct tcp_conn *conn)
{
	uint32_t mss = tcp_conn_payload(conn);
	uint32_t flight = tcp_conn_flight(conn);
	uint32_t n;

	if (tcp_conn_has(conn, TCP_F_SACK))
		return 0;
	n = conn->loss.dupacks * mss;
	return flight > mss ? tcp_min_u32(n, flight - mss) : 0;
}

/* In fast recovery what lies before this counts as lost. */
static uint32_t lost_edge(const struct tcp_conn *conn)
{
	uint32_t mss = tcp_conn_payload(conn);
	uint32_t edge = conn->snd_una + mss; /* the first segment always does (RFC 6582 §3.2) */

	if (conn->loss.board)
		edge = tcp_seq_max(
			edge, tcp_scoreboard_lost_edge(conn->loss.board, conn->snd_una, mss));
	edge = tcp_seq_max(edge, conn->loss.deemed_lost);
	return tcp_seq_min(edge, conn->loss.recover);
}

static bool block_is_sane(const struct tcp_conn *conn, struct tcp_range b)
{
	return tcp_seq_lt(b.start, b.end) && tcp_seq_gt(b.start, conn->snd_una) &&
	       tcp_seq_le(b.end, conn->snd_nxt);
}

static struct tcp_scoreboard *board_of(struct tcp_conn *conn)
{
	if (!conn->loss.board) {
		conn->loss.board = slab_get(&conn->stack->scoreboards);
		if (conn->loss.board)
			tcp_scoreboard_init(conn->loss.board);
		else
			tcp_count(conn->stack, TCP_N_SCOREBOARD_FULL);
	}
	return conn->loss.board;
}

bool tcp_loss_sack(struct tcp_conn *conn, const struct tcp_header *h, bool *duplicate)
{
	bool news = false;

	*duplicate = false;
	if (!tcp_conn_has(conn, TCP_F_SACK))
		return false;
	for (unsigned i = 0; i < h->sack_count; i++) {
		struct tcp_range b = h->sack[i];

		if (i == 0 && tcp_seq_le(b.end, h->ack)) {
			*duplicate = true;
			if (conn->loss.patience < PATIENCE_MAX)
				conn->loss.patience++;
		}
		if (block_is_sane(conn, b) && board_of(conn))
			news |= tcp_scoreboard_add(conn->loss.board, b);
	}
	return news;
}

/* --- phases --- */

static void set_ssthresh(struct tcp_conn *conn)
{
	conn->loss.ssthresh = tcp_max_u32(tcp_conn_flight(conn) / 2, 2 * tcp_conn_payload(conn));
}

static void enter_recovery(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;

	tcp_count(conn->stack, TCP_N_FAST_RECOVERIES);
	set_ssthresh(conn);
	l->cwnd = l->ssthresh;
	l->phase = TCP_LOSS_RECOVERY;
	l->recover = conn->snd_nxt;
	l->again = l->deemed_lost = conn->snd_una;
	conn->flags &= ~(uint32_t)(TCP_F_TIMING | TCP_F_FIRST_AGAIN);
}

void tcp_loss_duplicate(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;
	bool sack_says_lost;

	if (l->dupacks < UINT16_MAX)
		l->dupacks++;
	if (l->phase != TCP_LOSS_OPEN)
		return;
	sack_says_lost = l->board && tcp_scoreboard_lost_edge(l->board, conn->snd_una,
					     tcp_conn_payload(conn)) != conn->snd_una;
	if (l->dupacks >= TCP_DUP_THRESH || sack_says_lost)
		enter_recovery(conn);
}

static void grow(struct tcp_conn *conn, uint32_t acked)
{
	struct tcp_loss *l = &conn->loss;
	uint32_t mss = tcp_conn_payload(conn);
	uint32_t most = l->phase == TCP_LOSS_TIMEOUT ? mss : SLOW_START_STEP * mss;

	/* A window that was not used says nothing about the path (RFC 7661 §4). */
	if (!tcp_conn_has(conn, TCP_F_LIMITED) || l->cwnd >= CWND_MAX)
		return;
	if (l->cwnd < l->ssthresh) {
		l->cwnd += tcp_min_u32(acked, most);
		return;
	}
	l->counted += acked;
	if (l->counted >= l->cwnd) {
		l->counted -= l->cwnd;
		l->cwnd += mss;
	}
}

static void leave(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;
	uint32_t mss = tcp_conn_payload(conn);

	/* RFC 6582 §3.2 step 3, first choice: no burst. */
	if (l->phase == TCP_LOSS_RECOVERY)
		l->cwnd = tcp_min_u32(l->ssthresh, tcp_max_u32(tcp_conn_flight(conn), mss) + mss);
	l->phase = TCP_LOSS_OPEN;
	l->dupacks = 0;
	l->counted = 0;
}

/* A partial ACK without SACK takes its segments out of those that dupacks stood for. */
static void deflate(struct tcp_conn *conn, uint32_t acked)
{
	struct tcp_loss *l = &conn->loss;
	uint32_t segments = acked / tcp_conn_payload(conn);

	if (segments > 0)
		segments--; /* the one that was sent again had no duplicate ACK of its own */
	l->dupacks = (uint16_t)(l->dupacks > segments ? l->dupacks - segments : 0);
}

void tcp_loss_ack(struct tcp_conn *conn, uint32_t acked)
{
	struct tcp_loss *l = &conn->loss;

	if (l->board) {
		tcp_scoreboard_advance(l->board, conn->snd_una);
		if (l->board->count == 0)
			tcp_loss_clear(conn);
	}
	l->again = tcp_seq_max(l->again, conn->snd_una);
	if (l->phase == TCP_LOSS_OPEN) {
		l->dupacks = 0;
		grow(conn, acked);
		return;
	}
	if (tcp_seq_ge(conn->snd_una, l->recover)) {
		if (l->phase == TCP_LOSS_TIMEOUT)
			grow(conn, acked);
		leave(conn);
		return;
	}
	if (l->phase == TCP_LOSS_TIMEOUT)
		grow(conn, acked);
	else
		deflate(conn, acked);
}

void tcp_loss_rewind(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;

	l->phase = TCP_LOSS_TIMEOUT;
	l->recover = conn->snd_nxt;
	l->again = conn->snd_una;
	l->dupacks = 0;
	conn->flags &= ~(uint32_t)(TCP_F_TIMING | TCP_F_TAIL_PROBED | TCP_F_FIRST_AGAIN);
}

void tcp_loss_timeout(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;

	/*
	 * One segment times out again and again: ssthresh is held (RFC 5681 §3.1), and the peer may
	 * have thrown away what it had reported (RFC 2018 §8).
	 */
	if (l->phase == TCP_LOSS_TIMEOUT && l->timeout_una == conn->snd_una)
		tcp_loss_clear(conn);
	else
		set_ssthresh(conn);
	l->timeout_una = conn->snd_una;
	tcp_loss_rewind(conn);
	l->cwnd = tcp_conn_payload(conn);
	l->counted = 0;
	conn->flags |= TCP_F_LIMITED;
}

void tcp_loss_blame(struct tcp_conn *conn)
{
	set_ssthresh(conn);
	conn->loss.cwnd = tcp_min_u32(conn->loss.cwnd, conn->loss.ssthresh);
}

void tcp_loss_idle_restart(struct tcp_conn *conn)
{
	conn->loss.cwnd = tcp_min_u32(conn->loss.cwnd, tcp_loss_initial_window(conn));
}

/* --- losses told by time --- */

/* The last range the peer holds, NULL if it holds none. */
static const struct tcp_range *last_held(const struct tcp_conn *conn)
{
	const struct tcp_scoreboard *b = conn->loss.board;

	return b && b->count > 0 ? &b->ranges[b->count - 1] : NULL;
}

/* The first segment was sent again in this phase, and `octets` that left after it have arrived.
 */
static bool overtaken(const struct tcp_conn *conn, uint32_t octets)
{
	const struct tcp_loss *l = &conn->loss;
	const struct tcp_range *last = last_held(conn);

	return last && tcp_seq_gt(l->again, conn->snd_una) &&
	       tcp_seq_ge(last->end, l->again_mark + octets);
}

/* By counting, as for the first time; or by time. Else only the time-out would tell. */
static bool first_lost_again(const struct tcp_conn *conn)
{
	return tcp_conn_has(conn, TCP_F_FIRST_AGAIN) ||
	       overtaken(conn, TCP_DUP_THRESH * tcp_conn_payload(conn));
}

bool tcp_loss_suspects(const struct tcp_conn *conn)
{
	const struct tcp_loss *l = &conn->loss;
	const struct tcp_range *last = last_held(conn);

	if (l->phase == TCP_LOSS_OPEN)
		return last || (l->dupacks > 0 && !tcp_conn_has(conn, TCP_F_SACK));
	if (!last)
		return false;
	return overtaken(conn, 1) ||
	       (l->phase == TCP_LOSS_RECOVERY && tcp_seq_gt(last->start, lost_edge(conn)));
}

uint32_t tcp_loss_patience_us(const struct tcp_conn *conn)
{
	return tcp_max_u32(conn->rtt.srtt_us / 4 * conn->loss.patience, PATIENCE_MIN_US);
}

void tcp_loss_out_of_patience(struct tcp_conn *conn)
{
	struct tcp_loss *l = &conn->loss;
	const struct tcp_range *last = last_held(conn);

	if (!tcp_loss_suspects(conn))
		return;
	if (l->phase == TCP_LOSS_OPEN)
		enter_recovery(conn);
	else if (overtaken(conn, 1))
		conn->flags |= TCP_F_FIRST_AGAIN;
	if (last)
		l->deemed_lost = tcp_seq_min(last->start, l->recover);
}

/* --- what may be sent --- */

uint32_t tcp_loss_pipe(const struct tcp_conn *conn)
{
	const struct tcp_loss *l = &conn->loss;
	uint32_t una = conn->snd_una, nxt = conn->snd_nxt;
	uint32_t pipe, edge;

	switch (l->phase) {
	case TCP_LOSS_TIMEOUT:
		return not_held(conn, una, l->again) + not_held(conn, l->recover, nxt);
	case TCP_LOSS_RECOVERY:
		edge = lost_edge(conn);
		pipe = not_held(conn, edge, nxt) + not_held(conn, una, tcp_seq_min(l->again, edge));
		break;
	default: pipe = not_held(conn, una, nxt); break;
	}
	return pipe - tcp_min_u32(pipe, arrived_unnamed(conn));
}

bool tcp_loss_next(const struct tcp_conn *conn, struct tcp_range *hole)
{
	const struct tcp_loss *l = &conn->loss;
	uint32_t limit, from;

	if (l->phase == TCP_LOSS_OPEN)
		return false;
	limit = l->phase == TCP_LOSS_RECOVERY ? lost_edge(conn) : l->recover;
	from = first_lost_again(conn) ? conn->snd_una : tcp_seq_max(l->again, conn->snd_una);
	if (l->board)
		return tcp_scoreboard_hole(l->board, from, limit, hole);
	*hole = (struct tcp_range){from, limit};
	return tcp_seq_lt(from, limit);
}

void tcp_loss_sent_again(struct tcp_conn *conn, uint32_t start, uint32_t end)
{
	if (start == conn->snd_una) {
		conn->loss.again_mark = conn->snd_nxt;
		conn->flags &= ~(uint32_t)TCP_F_FIRST_AGAIN;
	}
	conn->loss.again = tcp_seq_max(conn->loss.again, end);
}
