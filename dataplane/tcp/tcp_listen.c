#include "dataplane/tcp/tcp_listen_priv.h"

#include "dataplane/tcp/tcp_cookie_priv.h"
#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"
#include "dataplane/tcp/tcp_timer_priv.h"

/* An ACK can bear a cookie this long after the last one left. */
#define COOKIE_LIFE_US (2u << TCP_COOKIE_TICK_SHIFT)

const struct tcp_listener *tcp_listen_find(const struct tcp_stack *stack, uint16_t port)
{
	for (unsigned i = 0; i < stack->listener_count; i++)
		if (stack->listeners[i].port == port)
			return &stack->listeners[i];
	return NULL;
}

/* --- when cookies answer --- */

static void count_syn(struct tcp_stack *stack, uint64_t now_us)
{
	struct tcp_cookie_mode *m = &stack->cookies;
	uint64_t second = now_us / 1000000;

	if (second != m->second) {
		m->syns_before = second == m->second + 1 ? m->syns : 0;
		m->syns = 0;
		m->second = second;
	}
	m->syns++;
}

/*
 * On at max_half_open entries; off only when half of them are gone and SYNs come slowly enough that
 * they would not be back within two seconds, lest a flood fill the table again and again.
 */
static bool cookies_answer(struct tcp_stack *stack, uint64_t now_us)
{
	struct tcp_cookie_mode *m = &stack->cookies;
	unsigned max = stack->config.max_half_open;

	count_syn(stack, now_us);
	if (!m->engaged && stack->half_open >= max) {
		m->engaged = true;
		tcp_count(stack, TCP_N_COOKIES_ENGAGED);
	} else if (m->engaged && max > 0 && stack->half_open <= max / 2 &&
		   m->syns_before <= max / 4 && m->syns <= max / 4) {
		m->engaged = false;
		tcp_count(stack, TCP_N_COOKIES_RELEASED);
	}
	return m->engaged;
}

/* --- a SYN --- */

/* The SYN-ACK of a cookie; everything in it can be made again from the entry. */
static void send_cookie(struct tcp_stack *stack, const struct tcp_reminder_entry *e,
	uint32_t receive_window, uint64_t now_us)
{
	struct tcp_header h = {.seq = e->iss, .ack = e->irs + 1, .flags = TCP_SYN | TCP_ACK};

	h.has = e->has;
	h.mss = net_mss(stack->net, &e->tuple.peer);
	h.wscale = TCP_RCV_WSCALE;
	h.window = receive_window > UINT16_MAX ? UINT16_MAX : (uint16_t)receive_window;
	h.ts_val = e->ts_val;
	h.ts_ecr = e->ts_ecr;
	tcp_output_stateless(stack, &e->tuple, e->peer_mac, &h, now_us);
}

static void answer_with_cookie(const struct tcp_listener *listener, struct tcp_in *in)
{
	struct tcp_stack *stack = in->stack;
	struct tcp_reminder_entry e = {.tuple = in->tuple, .irs = in->h.seq, .has = TCP_HAS_MSS};
	struct tcp_cookie offer = {.mss = in->h.mss};

	if (net_tx_crowded(stack->net)) { /* as if the SYN had been lost; who means it asks again */
		tcp_count(stack, TCP_N_COOKIES_UNSENT);
		return;
	}
	if (!(in->h.has & TCP_HAS_MSS))
		offer.mss = ip_addr_is_v4(&in->tuple.peer) ? 536 : 1220;
	if (in->h.has & TCP_HAS_TS) { /* without timestamps there is no place for the rest */
		uint32_t clock = tcp_clock_ms(in->now_us) +
				 tcp_isn_timestamp_offset(&stack->isn, &in->tuple);

		offer.has_wscale = in->h.has & TCP_HAS_WSCALE;
		offer.wscale = in->h.wscale;
		offer.has_sack = in->h.has & TCP_HAS_SACK_OK;
		e.has = in->h.has | TCP_HAS_MSS;
		e.ts_val = tcp_cookie_timestamp(&offer, clock);
		e.ts_ecr = in->h.ts_val;
	}
	e.iss = tcp_cookie_make(&stack->isn, &in->tuple, e.irs, &offer, in->now_us);
	memcpy(e.peer_mac, in->net->src_mac, sizeof(e.peer_mac));
	send_cookie(stack, &e, listener->receive_window, in->now_us);
	stack->cookies.ever_sent = true;
	stack->cookies.last_sent_us = in->now_us;
	tcp_count(stack, TCP_N_COOKIES_SENT);
	if (!tcp_reminder_push(&stack->reminder, &e, in->now_us))
		tcp_count(stack, TCP_N_COOKIES_UNREMINDED);
}

static struct tcp_conn *new_half_open(
	const struct tcp_listener *listener, struct tcp_in *in, uint32_t irs, uint32_t iss)
{
	struct tcp_stack *stack = in->stack;
	struct tcp_conn *conn = tcp_conn_new(stack, &in->tuple);

	if (!conn) {
		tcp_count(stack, TCP_N_DROP_CONNECTIONS_FULL);
		return NULL;
	}
	conn->state = TCP_SYN_RECEIVED;
	conn->flags |= TCP_F_HALF_OPEN;
	stack->half_open++;
	conn->irs = irs;
	conn->iss = conn->snd_una = iss;
	conn->snd_nxt = iss + 1;
	conn->rcv_nxt = conn->rcv_adv = conn->rcv_acked = irs + 1;
	conn->rcv_limit = listener->receive_window;
	conn->snd_wnd = conn->snd_max_wnd = in->h.window;
	conn->snd_wl1 = in->h.seq;
	memcpy(conn->peer_mac, in->net->src_mac, sizeof(conn->peer_mac));
	if (in->h.has & TCP_HAS_TS) {
		conn->ts_recent = in->h.ts_val;
		conn->ts_recent_ms = tcp_clock_ms(in->now_us);
	}
	return conn;
}

void tcp_listen_syn(
	const struct tcp_listener *listener, struct tcp_in *in, const uint32_t *iss_floor)
{
	struct tcp_conn *conn;
	uint32_t iss;

	if (tcp_pressure(in->stack) >= TCP_PRESSURE_SHUT) {
		tcp_count(in->stack, TCP_N_DROP_SYN_MEMORY);
		return;
	}
	if (cookies_answer(in->stack, in->now_us)) {
		answer_with_cookie(listener, in);
		return;
	}
	iss = tcp_isn_sequence(&in->stack->isn, &in->tuple, in->now_us);
	if (iss_floor && tcp_seq_le(iss, *iss_floor))
		iss = *iss_floor + 1;
	conn = new_half_open(listener, in, in->h.seq, iss);
	if (!conn)
		return;
	tcp_conn_take_offer(conn, in->h.mss, in->h.has, in->h.wscale);
	tcp_output_syn(conn, in->now_us);
	conn->rexmit_kind = TCP_REXMIT_RTO;
	conn->rexmit_at = in->now_us + conn->rtt.rto_us;
	tcp_timer_sync(conn);
}

/* --- an ACK --- */

struct tcp_conn *tcp_listen_cookie(
	const struct tcp_listener *listener, struct tcp_in *in, bool *stale)
{
	struct tcp_stack *stack = in->stack;
	struct tcp_cookie offer = {.has_ts = in->h.has & TCP_HAS_TS};
	struct tcp_conn *conn;
	uint32_t iss = in->h.ack - 1, irs = in->seq - 1;
	uint8_t has = TCP_HAS_MSS;

	*stale = false;
	if (!stack->cookies.ever_sent || in->now_us - stack->cookies.last_sent_us > COOKIE_LIFE_US)
		return NULL;
	if (!tcp_cookie_check(
		    &stack->isn, &in->tuple, irs, iss, in->h.ts_ecr, in->now_us, &offer)) {
		*stale = in->len > 0;
		return NULL;
	}
	conn = new_half_open(listener, in, irs, iss);
	*stale = !conn;
	if (!conn)
		return NULL;
	has |= (offer.has_ts ? TCP_HAS_TS : 0) | (offer.has_wscale ? TCP_HAS_WSCALE : 0) |
	       (offer.has_sack ? TCP_HAS_SACK_OK : 0);
	tcp_conn_take_offer(conn, offer.mss, has, offer.wscale);
	/* What the SYN-ACK offered, as send_cookie() wrote it. */
	conn->rcv_adv += tcp_min_u32(listener->receive_window, UINT16_MAX);
	conn->syn_tries = 1;
	tcp_count(stack, TCP_N_COOKIES_ACCEPTED);
	return conn;
}

void tcp_listen_remind(struct tcp_stack *stack, uint64_t now_us)
{
	struct tcp_reminder_entry e;

	while (tcp_reminder_pop(&stack->reminder, now_us, &e)) {
		const struct tcp_listener *listener = tcp_listen_find(stack, e.tuple.local_port);
		uint32_t hash = tcp_tuple_hash(&stack->hash_key, &e.tuple);

		if (!listener || tcp_table_find(&stack->table, &e.tuple, hash))
			continue;
		if (tcp_timewait_find(&stack->timewait, &e.tuple, hash))
			continue;
		send_cookie(stack, &e, listener->receive_window, now_us);
		tcp_count(stack, TCP_N_COOKIES_REMINDED);
		if (++e.tries < TCP_REMINDER_TRIES)
			tcp_reminder_push(&stack->reminder, &e, now_us);
	}
}
