#include "dataplane/tcp/tcp_output_priv.h"

#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_path_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_receive_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"
#include "dataplane/tcp/tcp_timer_priv.h"

#define CHALLENGES_PER_SECOND 5u
#define SACK_BLOCKS           3u /* that fit beside a timestamp */

/* --- packets --- */

static struct pkt *new_packet(struct tcp_stack *stack)
{
	struct pkt *pkt = stack->pool->alloc(stack->pool);

	if (!pkt)
		tcp_count(stack, TCP_N_NO_PACKET);
	return pkt;
}

static void set_len(struct pkt *pkt, uint32_t len)
{
	pkt->tailroom = (uint16_t)(pkt->tailroom + pkt->len - len);
	pkt->len = (uint16_t)len;
}

static void hand_over(struct tcp_stack *stack, struct pkt *pkt, const struct tcp_tuple *tuple,
	const uint8_t peer_mac[6], uint64_t now_us)
{
	struct net_route route = {.local = tuple->local, .peer = tuple->peer};

	memcpy(route.peer_mac, peer_mac, sizeof(route.peer_mac));
	tcp_count(stack, TCP_N_TX);
	net_output(stack->net, pkt, &route, now_us);
}

static void set_ports(struct tcp_header *h, const struct tcp_tuple *tuple)
{
	h->src_port = tuple->local_port;
	h->dst_port = tuple->peer_port;
}

void tcp_output_stateless(struct tcp_stack *stack, const struct tcp_tuple *tuple,
	const uint8_t peer_mac[6], struct tcp_header *h, uint64_t now_us)
{
	struct pkt *pkt = new_packet(stack);

	if (!pkt)
		return;
	set_ports(h, tuple);
	set_len(pkt, tcp_wire_write(pkt->data, h));
	if (h->flags & TCP_RST)
		tcp_count(stack, TCP_N_RST_SENT);
	hand_over(stack, pkt, tuple, peer_mac, now_us);
}

void tcp_output_reject(const struct tcp_in *in)
{
	struct tcp_header h = {.flags = TCP_RST};

	if (in->h.flags & TCP_RST)
		return;
	if (in->h.flags & TCP_ACK) {
		h.seq = in->h.ack;
	} else {
		h.flags |= TCP_ACK;
		h.ack = in->h.seq + tcp_in_space(in);
	}
	tcp_output_stateless(in->stack, &in->tuple, in->net->src_mac, &h, in->now_us);
}

/* --- segments of a connection --- */

static void put_timestamp(const struct tcp_conn *conn, struct tcp_header *h, uint64_t now_us)
{
	h->has |= TCP_HAS_TS;
	h->ts_val = tcp_clock_ms(now_us) + conn->ts_offset;
	h->ts_ecr = (h->flags & TCP_ACK) ? conn->ts_recent : 0;
}

/* A duplicate first (RFC 2883 §4), then what is held out of order. */
static void put_sack(struct tcp_conn *conn, struct tcp_header *h)
{
	unsigned n = 0;

	if (tcp_conn_has(conn, TCP_F_DSACK)) {
		conn->flags &= ~(uint32_t)TCP_F_DSACK;
		h->sack[n++] = conn->dsack;
	}
	if (conn->reasm)
		n += tcp_reasm_sack(conn->reasm, h->sack + n, SACK_BLOCKS - n);
	h->sack_count = (uint8_t)n;
}

static void fill_header(
	struct tcp_conn *conn, struct tcp_header *h, uint32_t seq, uint8_t flags, uint64_t now_us)
{
	*h = (struct tcp_header){.seq = seq, .ack = conn->rcv_nxt, .flags = flags | TCP_ACK};
	set_ports(h, &conn->tuple);
	h->window = tcp_receive_window(conn, tcp_conn_has(conn, TCP_F_WSCALE) ? TCP_RCV_WSCALE : 0);
	if (tcp_conn_has(conn, TCP_F_TS))
		put_timestamp(conn, h, now_us);
	if (tcp_conn_has(conn, TCP_F_SACK))
		put_sack(conn, h);
}

/* An ACK has left with whatever left. */
static void acked(struct tcp_conn *conn)
{
	conn->rcv_acked = conn->rcv_nxt;
	conn->delack_at = UINT64_MAX;
	conn->flags &= ~(uint32_t)TCP_F_ACK_NOW;
}

static void send_empty(struct tcp_conn *conn, uint32_t seq, uint8_t flags, uint64_t now_us)
{
	struct pkt *pkt = new_packet(conn->stack);
	struct tcp_header h;

	if (!pkt)
		return;
	fill_header(conn, &h, seq, flags, now_us);
	set_len(pkt, tcp_wire_write(pkt->data, &h));
	acked(conn);
	hand_over(conn->stack, pkt, &conn->tuple, conn->peer_mac, now_us);
}

void tcp_output_ack(struct tcp_conn *conn, uint64_t now_us)
{
	send_empty(conn, conn->snd_nxt, 0, now_us);
}

void tcp_output_challenge(struct tcp_conn *conn, uint64_t now_us)
{
	uint32_t second = (uint32_t)(now_us / 1000000);

	if (conn->challenge_s != second) {
		conn->challenge_s = second;
		conn->challenges = 0;
	}
	if (conn->challenges >= CHALLENGES_PER_SECOND) {
		tcp_count(conn->stack, TCP_N_CHALLENGE_LIMITED);
		return;
	}
	conn->challenges++;
	tcp_count(conn->stack, TCP_N_CHALLENGE_ACKS);
	tcp_output_ack(conn, now_us);
}

void tcp_output_syn(struct tcp_conn *conn, uint64_t now_us)
{
	bool reply = conn->state == TCP_SYN_RECEIVED;
	bool offer = !reply; /* our own SYN asks for everything, a SYN-ACK for what was offered */
	struct tcp_header h = {.seq = conn->iss, .flags = TCP_SYN, .has = TCP_HAS_MSS};

	if (reply) {
		h.flags |= TCP_ACK;
		h.ack = conn->rcv_nxt;
	}
	h.mss = net_mss(conn->stack->net, &conn->tuple.peer);
	h.window = tcp_receive_window(conn, 0);
	h.wscale = TCP_RCV_WSCALE;
	if (offer || tcp_conn_has(conn, TCP_F_WSCALE))
		h.has |= TCP_HAS_WSCALE;
	if (offer || tcp_conn_has(conn, TCP_F_SACK))
		h.has |= TCP_HAS_SACK_OK;
	if (offer || tcp_conn_has(conn, TCP_F_TS))
		put_timestamp(conn, &h, now_us);
	if (conn->syn_tries++ == 0) {
		conn->timed_end = conn->iss + 1;
		conn->timed_us = now_us;
		conn->flags |= TCP_F_TIMING;
	} else {
		conn->flags &= ~(uint32_t)TCP_F_TIMING; /* Karn */
	}
	conn->rcv_acked = conn->rcv_nxt;
	tcp_output_stateless(conn->stack, &conn->tuple, conn->peer_mac, &h, now_us);
}

void tcp_output_rst(struct tcp_conn *conn, uint64_t now_us)
{
	struct tcp_header h = {.seq = conn->snd_nxt, .flags = TCP_RST};

	if (conn->state != TCP_SYN_SENT) {
		h.flags |= TCP_ACK;
		h.ack = conn->rcv_nxt;
	}
	tcp_output_stateless(conn->stack, &conn->tuple, conn->peer_mac, &h, now_us);
}

static void start_timing(struct tcp_conn *conn, uint32_t end, uint64_t now_us)
{
	if (tcp_conn_has(conn, TCP_F_TIMING))
		return;
	conn->flags |= TCP_F_TIMING;
	conn->timed_end = end;
	conn->timed_us = now_us;
}

/* FIN rides on the segment that ends the data. */
static bool fin_belongs(const struct tcp_conn *conn, uint32_t end)
{
	return tcp_conn_has(conn, TCP_F_FIN_QUEUED) && !tcp_conn_has(conn, TCP_F_FIN_ACKED) &&
	       end == tcp_conn_data_end(conn);
}

static void sent(struct tcp_conn *conn, uint32_t end, bool fin, uint64_t now_us)
{
	if (fin)
		conn->flags |= TCP_F_FIN_SENT;
	if (conn->snd_una == conn->snd_nxt)
		conn->progress_us = now_us;
	conn->sent_us = now_us;
	if (tcp_seq_gt(end, conn->snd_nxt)) {
		conn->snd_nxt = end;
		start_timing(conn, end, now_us);
	} else {
		tcp_count(conn->stack, TCP_N_RETRANSMITS);
		conn->flags &= ~(uint32_t)TCP_F_TIMING; /* Karn */
	}
}

/*
 * Sends up to `len` octets of the buffer from `seq`, and FIN where it follows them. Returns the
 * sequence space used, 0 if no packet was to be had.
 */
static uint32_t send_data(struct tcp_conn *conn, uint32_t seq, uint32_t len, uint64_t now_us)
{
	struct pkt *pkt = new_packet(conn->stack);
	struct tcp_header h;
	uint32_t most;
	bool fin;

	if (!pkt)
		return 0;
	fill_header(conn, &h, seq, 0, now_us);
	most = conn->snd_mss + TCP_WIRE_HEADER_MIN - tcp_wire_len(&h);
	most = tcp_min_u32(most, pkt->tailroom + pkt->len - tcp_wire_len(&h));
	len = tcp_min_u32(len, most);
	fin = fin_belongs(conn, seq + len);
	if (fin)
		h.flags |= TCP_FIN;
	if (seq + len == tcp_conn_data_end(conn))
		h.flags |= TCP_PSH;
	set_len(pkt, tcp_wire_write(pkt->data, &h) + len);
	tcp_send_buffer_read(&conn->send, seq - conn->snd_una, len, pkt->data + h.len);
	sent(conn, seq + len + fin, fin, now_us);
	acked(conn);
	tcp_count_n(conn->stack, TCP_N_TX_OCTETS, len);
	hand_over(conn->stack, pkt, &conn->tuple, conn->peer_mac, now_us);
	return len + fin;
}

/* Octets of [seq, end) that are data, FIN left out. */
static uint32_t data_within(const struct tcp_conn *conn, uint32_t seq, uint32_t end)
{
	uint32_t data_end = tcp_conn_data_end(conn);

	end = tcp_seq_min(end, data_end);
	return tcp_seq_lt(seq, end) ? end - seq : 0;
}

/* --- what may leave --- */

static bool send_lost(struct tcp_conn *conn, uint32_t *pipe, uint64_t now_us)
{
	uint32_t edge = conn->snd_una + conn->snd_wnd;
	uint32_t mss = tcp_conn_payload(conn);
	struct tcp_range hole;

	while (tcp_loss_next(conn, &hole)) {
		uint32_t len, n, usable;

		/* The first segment goes whatever the window says: recovery hangs on it. */
		if (hole.start != conn->snd_una && *pipe + mss > conn->loss.cwnd)
			return false;
		if (hole.end == conn->snd_nxt) /* new data fills the segment up */
			hole.end = tcp_conn_data_end(conn);
		len = tcp_min_u32(data_within(conn, hole.start, hole.end), mss);
		usable = tcp_seq_lt(hole.start, edge) ? edge - hole.start : 0;
		if (len > 0 && usable == 0) /* the peer took its window back */
			return false;
		n = send_data(conn, hole.start, tcp_min_u32(len, usable), now_us);
		if (n == 0)
			return false;
		tcp_loss_sent_again(conn, hole.start, hole.start + n);
		*pipe += n;
	}
	return true;
}

/* Sender's silly-window avoidance without Nagle (RFC 9293 §3.8.6.2.1): all of it, a segment, or
 * half a window. */
static bool worth_sending(const struct tcp_conn *conn, uint32_t len, uint32_t unsent)
{
	return len == unsent || len >= tcp_conn_payload(conn) || len >= conn->snd_max_wnd / 2 ||
	       tcp_conn_has(conn, TCP_F_FORCE);
}

static void send_new(struct tcp_conn *conn, uint32_t pipe, uint64_t now_us)
{
	uint32_t mss = tcp_conn_payload(conn);
	uint32_t cwnd = conn->loss.cwnd;

	for (;;) {
		uint32_t unsent = data_within(conn, conn->snd_nxt, tcp_conn_data_end(conn));
		uint32_t edge = conn->snd_una + conn->snd_wnd;
		uint32_t usable = tcp_seq_lt(conn->snd_nxt, edge) ? edge - conn->snd_nxt : 0;
		uint32_t len = tcp_min_u32(tcp_min_u32(unsent, usable), mss);
		uint32_t n;

		if (len == 0 || !worth_sending(conn, len, unsent))
			break;
		if (pipe + len > cwnd && pipe > 0) {
			conn->flags |= TCP_F_LIMITED;
			return;
		}
		n = send_data(conn, conn->snd_nxt, len, now_us);
		if (n == 0)
			return;
		pipe += n;
	}
	/* A window used by less than half is the consumer's doing, not the path's. */
	if (pipe >= cwnd / 2)
		conn->flags |= TCP_F_LIMITED;
	else
		conn->flags &= ~(uint32_t)TCP_F_LIMITED;
}

/* FIN alone; it takes no window, as everywhere (its octet carries no data). */
static void send_fin(struct tcp_conn *conn, uint64_t now_us)
{
	if (tcp_conn_has(conn, TCP_F_FIN_QUEUED) && !tcp_conn_has(conn, TCP_F_FIN_SENT) &&
		conn->snd_nxt == tcp_conn_data_end(conn))
		send_data(conn, conn->snd_nxt, 0, now_us);
}

static bool can_send(const struct tcp_conn *conn)
{
	return conn->state >= TCP_ESTABLISHED;
}

void tcp_output(struct tcp_conn *conn, uint64_t now_us)
{
	if (!can_send(conn))
		return;
	if (conn->send.len > 0 || tcp_conn_has(conn, TCP_F_FIN_QUEUED)) {
		uint32_t pipe;

		if (conn->snd_mss < conn->full_mss)
			tcp_path_raise(conn, now_us);
		if (conn->snd_una == conn->snd_nxt && now_us - conn->sent_us > conn->rtt.rto_us)
			tcp_loss_idle_restart(conn);
		pipe = tcp_loss_pipe(conn);
		if (send_lost(conn, &pipe, now_us))
			send_new(conn, pipe, now_us);
		send_fin(conn, now_us);
		conn->flags &= ~(uint32_t)TCP_F_FORCE;
		if (conn->rexmit_kind == TCP_REXMIT_NONE || conn->rexmit_kind == TCP_REXMIT_PERSIST)
			tcp_timer_rexmit(conn, now_us);
	}
	if (tcp_conn_has(conn, TCP_F_ACK_NOW) || tcp_receive_window_news(conn))
		tcp_output_ack(conn, now_us);
}

void tcp_output_window_probe(struct tcp_conn *conn, uint64_t now_us)
{
	tcp_count(conn->stack, TCP_N_WINDOW_PROBES);
	send_data(conn, conn->snd_una, conn->send.len > 0 ? 1 : 0, now_us);
}

void tcp_output_keepalive(struct tcp_conn *conn, uint64_t now_us)
{
	tcp_count(conn->stack, TCP_N_KEEPALIVES);
	send_empty(conn, conn->snd_una - 1, 0, now_us);
}

void tcp_output_tail_probe(struct tcp_conn *conn, uint64_t now_us)
{
	uint32_t mss = tcp_conn_payload(conn);
	uint32_t edge = conn->snd_una + conn->snd_wnd;
	uint32_t unsent = data_within(conn, conn->snd_nxt, tcp_conn_data_end(conn));
	uint32_t data_end = tcp_seq_min(conn->snd_nxt, tcp_conn_data_end(conn));
	uint32_t len;

	tcp_count(conn->stack, TCP_N_TAIL_PROBES);
	conn->flags |= TCP_F_TAIL_PROBED;
	conn->flags &= ~(uint32_t)TCP_F_TAIL_AGAIN;
	len = tcp_min_u32(unsent, mss);
	if (len > 0 && tcp_seq_le(conn->snd_nxt + len, edge)) {
		send_data(conn, conn->snd_nxt, len, now_us);
	} else {
		conn->flags |= TCP_F_TAIL_AGAIN;
		len = tcp_min_u32(data_end - conn->snd_una, mss);
		send_data(conn, data_end - len, len, now_us);
	}
	conn->loss.tail_end = conn->snd_nxt;
}
