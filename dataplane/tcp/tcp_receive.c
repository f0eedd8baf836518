#include "dataplane/tcp/tcp_receive_priv.h"

#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_pressure_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"
#include "dataplane/tcp/tcp_timer_priv.h"

/* Memory that a connection may pin, as its window and then some for half-empty packets. */
#define MEMORY_PER_WINDOW 4u
#define MEMORY_BASE       65536u

/* --- the window --- */

static uint32_t room(const struct tcp_conn *conn)
{
	uint32_t n = conn->rcv_limit > conn->rcv_unread ? conn->rcv_limit - conn->rcv_unread : 0;

	return tcp_pressure_is_narrow(conn->stack) ? tcp_min_u32(n, conn->rcv_mss) : n;
}

/* How far the right edge may move, 0 where that is not worth a segment yet. */
static uint32_t edge_step(const struct tcp_conn *conn)
{
	uint32_t edge = conn->rcv_nxt + room(conn);
	uint32_t least = tcp_min_u32(conn->rcv_mss, conn->rcv_limit / 2);

	if (!tcp_seq_gt(edge, conn->rcv_adv) || edge - conn->rcv_adv < least)
		return 0;
	return edge - conn->rcv_adv;
}

uint16_t tcp_receive_window(struct tcp_conn *conn, unsigned shift)
{
	uint32_t window = conn->rcv_adv + edge_step(conn) - conn->rcv_nxt;
	uint32_t field = window >> shift;

	/*
	 * Rounding down may show an edge a little short of an earlier one; what was offered is
	 * still taken (RFC 7323 §2.4). Rounding up would follow a peer of tiny segments for ever.
	 */
	if (field > UINT16_MAX)
		field = UINT16_MAX;
	conn->rcv_adv = tcp_seq_max(conn->rcv_adv, conn->rcv_nxt + (field << shift));
	return (uint16_t)field;
}

bool tcp_receive_window_news(const struct tcp_conn *conn)
{
	uint32_t step = edge_step(conn);
	uint32_t left = conn->rcv_adv - conn->rcv_nxt;

	if (step == 0 || tcp_conn_has(conn, TCP_F_PEER_SHUT))
		return false;
	return left < conn->rcv_mss || step >= conn->rcv_limit / 2;
}

/* --- memory --- */

static void charge(struct tcp_conn *conn, uint32_t true_size)
{
	conn->stack->receive_held += true_size;
}

static void discharge(struct tcp_conn *conn, uint32_t true_size)
{
	conn->stack->receive_held -= true_size;
}

static bool memory_left(const struct tcp_conn *conn, uint32_t more)
{
	const struct tcp_stack *stack = conn->stack;
	uint64_t own = conn->rcv_true_size + (conn->reasm ? conn->reasm->true_size : 0);

	return own + more <= (uint64_t)conn->rcv_limit * MEMORY_PER_WINDOW + MEMORY_BASE &&
	       stack->receive_held + more <= stack->config.receive_bytes_max;
}

/* Room for a packet at `seq`, for which what lies further away gives way. */
static bool make_room(struct tcp_conn *conn, uint32_t seq, uint32_t true_size)
{
	struct tcp_reasm *r = conn->reasm;

	while (!memory_left(conn, true_size)) {
		uint32_t before;

		if (!r || r->count == 0 || tcp_seq_le(r->ranges[r->count - 1].start, seq))
			return false;
		before = r->true_size;
		if (!tcp_reasm_drop_furthest(r)) {
			tcp_receive_drop_reasm(conn);
			r = NULL;
		} else {
			discharge(conn, before - r->true_size);
		}
		tcp_count(conn->stack, TCP_N_OOO_RANGES_DROPPED);
	}
	return true;
}

void tcp_receive_drop_reasm(struct tcp_conn *conn)
{
	if (!conn->reasm)
		return;
	discharge(conn, conn->reasm->true_size);
	tcp_reasm_clear(conn->reasm);
	slab_put(&conn->stack->reasms, conn->reasm);
	conn->reasm = NULL;
}

void tcp_receive_drop_all(struct tcp_conn *conn)
{
	tcp_receive_drop_reasm(conn);
	tcp_receive_consume(conn, conn->rcv_unread);
}

void tcp_receive_consume(struct tcp_conn *conn, uint32_t n)
{
	conn->rcv_unread -= n;
	while (n > 0) {
		struct pkt *pkt = conn->rcv_head;

		if (n < pkt->len) {
			pkt->data += n;
			pkt->len = (uint16_t)(pkt->len - n);
			return;
		}
		n -= pkt->len;
		conn->rcv_head = pkt->next;
		if (!conn->rcv_head)
			conn->rcv_tail = NULL;
		conn->rcv_true_size -= pkt->true_size;
		discharge(conn, pkt->true_size);
		pkt_free(pkt);
	}
}

/* --- segments --- */

/* The packet as payload alone. */
static struct pkt *take_packet(struct tcp_in *in)
{
	struct pkt *pkt = in->pkt;
	const uint8_t *end = pkt->data + pkt->len;

	in->pkt = NULL;
	pkt->tailroom = (uint16_t)(pkt->tailroom + (end - (in->payload + in->len)));
	pkt->data = in->payload;
	pkt->len = (uint16_t)in->len;
	pkt->next = NULL;
	return pkt;
}

/* Its turn has come: behind the queue, which is charged already where it came from reasm. */
static void queue_packets(
	struct tcp_conn *conn, struct pkt *head, struct pkt *tail, uint32_t octets)
{
	for (struct pkt *pkt = head; pkt; pkt = pkt->next)
		conn->rcv_true_size += pkt->true_size;
	if (conn->rcv_tail)
		conn->rcv_tail->next = head;
	else
		conn->rcv_head = head;
	conn->rcv_tail = tail;
	conn->rcv_nxt += octets;
	conn->rcv_unread += octets;
	tcp_count_n(conn->stack, TCP_N_RX_OCTETS, octets);
}

static void queue_in_order(struct tcp_conn *conn, struct pkt *pkt)
{
	uint32_t octets = pkt->len;

	if (conn->rcv_tail && tcp_reasm_coalesce(conn->rcv_tail, pkt)) {
		conn->rcv_nxt += octets;
		conn->rcv_unread += octets;
		tcp_count_n(conn->stack, TCP_N_RX_OCTETS, octets);
		return;
	}
	charge(conn, pkt->true_size);
	queue_packets(conn, pkt, pkt, octets);
}

static struct tcp_reasm *reasm_of(struct tcp_conn *conn)
{
	if (!conn->reasm) {
		conn->reasm = slab_get(&conn->stack->reasms);
		if (conn->reasm)
			tcp_reasm_init(conn->reasm);
	}
	return conn->reasm;
}

/* Through the out-of-order ranges; `in` may also fill the hole before them. */
static void store(struct tcp_conn *conn, struct tcp_in *in)
{
	struct tcp_reasm *r = reasm_of(conn);
	struct pkt *head, *tail;
	uint32_t before, end;
	unsigned dropped = 0;
	enum tcp_reasm_result result;

	if (!r) {
		tcp_count(conn->stack, TCP_N_DROP_OOO_FULL);
		return;
	}
	before = r->true_size;
	result = tcp_reasm_insert(r, take_packet(in), in->seq, &dropped);
	discharge(conn, before);
	charge(conn, r->true_size);
	tcp_count_n(conn->stack, TCP_N_OOO_RANGES_DROPPED, dropped);
	if (result == TCP_REASM_FULL)
		tcp_count(conn->stack, TCP_N_DROP_OOO_FULL);
	if (result == TCP_REASM_DUPLICATE)
		tcp_count(conn->stack, TCP_N_DROP_DUPLICATE);
	head = tcp_reasm_take(r, conn->rcv_nxt, &end, &tail);
	if (head)
		queue_packets(conn, head, tail, end - conn->rcv_nxt);
	if (r->count == 0)
		tcp_receive_drop_reasm(conn);
}

/* Cuts off what was received before; remembers it for a duplicate report (RFC 2883). */
static void cut_front(struct tcp_conn *conn, struct tcp_in *in)
{
	uint32_t cut = conn->rcv_nxt - in->seq;

	if (!tcp_seq_lt(in->seq, conn->rcv_nxt))
		return;
	cut = tcp_min_u32(cut, in->len);
	if (cut > 0) {
		conn->dsack = (struct tcp_range){in->seq, in->seq + cut};
		conn->flags |= TCP_F_DSACK | TCP_F_ACK_NOW;
	}
	in->seq += cut;
	in->payload += cut;
	in->len -= cut;
}

/* Cuts off what lies beyond the window, and FIN with it, or beyond the peer's own FIN. */
static void cut_back(struct tcp_conn *conn, struct tcp_in *in)
{
	uint32_t edge = conn->rcv_adv;
	uint32_t reason = TCP_N_DROP_BEYOND_WINDOW;

	if (tcp_conn_has(conn, TCP_F_FIN_SEEN) && tcp_seq_lt(conn->rcv_fin, edge)) {
		edge = conn->rcv_fin;
		reason = TCP_N_DROP_AFTER_FIN;
	}
	if (!tcp_seq_gt(in->seq + in->len, edge))
		return;
	tcp_count(conn->stack, reason);
	in->len = tcp_seq_lt(in->seq, edge) ? edge - in->seq : 0;
	in->h.flags &= (uint8_t)~TCP_FIN;
	conn->flags |= TCP_F_ACK_NOW; /* the answer to a zero-window probe */
}

static void note_fin(struct tcp_conn *conn, const struct tcp_in *in)
{
	if (!(in->h.flags & TCP_FIN) || tcp_conn_has(conn, TCP_F_FIN_SEEN))
		return;
	conn->flags |= TCP_F_FIN_SEEN;
	conn->rcv_fin = in->seq + in->len;
}

/* Every second full segment at once, others within the delay (RFC 9293 §3.8.6.3). */
static void schedule_ack(struct tcp_conn *conn, uint64_t now_us)
{
	if (conn->rcv_nxt - conn->rcv_acked >= 2u * conn->rcv_mss)
		conn->flags |= TCP_F_ACK_NOW;
	if (!tcp_conn_has(conn, TCP_F_ACK_NOW) && conn->delack_at == UINT64_MAX) {
		conn->delack_at = now_us + TCP_DELACK_US;
		tcp_timer_sync(conn);
	}
	tcp_ready_output(conn);
}

static void in_order(struct tcp_conn *conn, struct tcp_in *in)
{
	if (conn->reasm) {
		store(conn, in);
		conn->flags |= TCP_F_ACK_NOW; /* RFC 5681 §4.2: at once when a gap fills */
	} else {
		queue_in_order(conn, take_packet(in));
	}
	tcp_ready_add(conn, TCP_READY_READABLE);
	schedule_ack(conn, in->now_us);
}

void tcp_receive_segment(struct tcp_conn *conn, struct tcp_in *in)
{
	uint32_t len = in->len;

	cut_front(conn, in);
	cut_back(conn, in);
	note_fin(conn, in);
	if (in->len == 0) {
		if (len > 0 || (in->h.flags & TCP_FIN)) {
			conn->flags |= TCP_F_ACK_NOW;
			tcp_ready_output(conn);
		}
		return;
	}
	if (len > conn->rcv_mss && len <= UINT16_MAX)
		conn->rcv_mss = (uint16_t)len;
	if (!make_room(conn, in->seq, in->pkt->true_size)) {
		tcp_count(conn->stack, TCP_N_DROP_MEMORY);
		in->h.flags &= (uint8_t)~TCP_FIN;
		return;
	}
	if (in->seq == conn->rcv_nxt) {
		in_order(conn, in);
		return;
	}
	/* One ACK a segment and at once: three of them start the peer's fast retransmit. */
	tcp_count(conn->stack, TCP_N_OOO);
	store(conn, in);
	tcp_output_ack(conn, in->now_us);
}
