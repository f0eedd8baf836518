#include "dataplane/tcp/tcp_closed_priv.h"
#include "dataplane/tcp/tcp_state_priv.h"

/* False if it is no TCP segment; net_input() has checked the checksum. */
static bool parse(struct tcp_in *in)
{
	struct pkt *pkt = in->pkt;
	const uint8_t *data = pkt->data + pkt->l4;
	size_t len = pkt->len > pkt->l4 ? (size_t)(pkt->len - pkt->l4) : 0;

	if (tcp_wire_parse(data, len, &in->h))
		return false;
	if (in->h.odd_options)
		tcp_count(in->stack, TCP_N_ODD_OPTIONS);
	in->tuple.local = in->net->dst;
	in->tuple.peer = in->net->src;
	in->tuple.local_port = in->h.dst_port;
	in->tuple.peer_port = in->h.src_port;
	in->seq = in->h.seq;
	in->payload = pkt->data + pkt->l4 + in->h.len;
	in->len = (uint32_t)(len - in->h.len);
	return true;
}

/* Names that no connection may have: port 0, and ourselves (the LAND attack). */
static bool name_is_absurd(const struct tcp_tuple *t)
{
	if (t->local_port == 0 || t->peer_port == 0)
		return true;
	return t->local_port == t->peer_port && ip_addr_eq(&t->local, &t->peer);
}

static void dispatch(struct tcp_in *in)
{
	struct tcp_stack *stack = in->stack;
	struct tcp_conn *conn;

	if (name_is_absurd(&in->tuple)) {
		tcp_count(stack, TCP_N_DROP_PORT_ZERO);
		return;
	}
	conn = tcp_table_recent(&stack->table, &in->tuple);
	if (!conn) {
		in->hash = tcp_tuple_hash(&stack->hash_key, &in->tuple);
		conn = tcp_table_find(&stack->table, &in->tuple, in->hash);
	}
	if (!conn)
		conn = tcp_closed_input(in);
	if (conn)
		tcp_state_run(conn, in);
}

void tcp_input(
	struct tcp_stack *stack, struct pkt *pkt, const struct net_segment *seg, uint64_t now_us)
{
	struct tcp_in in;

	/* Field by field: clearing all of it would cost more than the whole of parsing. */
	in.stack = stack;
	in.net = seg;
	in.pkt = pkt;
	in.now_us = now_us;
	in.hash = 0;
	stack->now_us = now_us;
	tcp_count(stack, TCP_N_RX);
	if (parse(&in))
		dispatch(&in);
	else
		tcp_count(stack, TCP_N_DROP_MALFORMED);
	if (in.pkt)
		pkt_free(in.pkt);
}
