#include "dataplane/tcp/tcp_listen_priv.h"
#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"

/*
 * ICMP errors, believed only where the sequence number they quote is in flight (RFC 5927 §4). None
 * of them ends an open connection: hard errors count as soft ones there (§5.2).
 */

#define HEADERS_V4 40u
#define HEADERS_V6 60u
/* No path is narrower in earnest: what claims so is after tiny segments (RFC 5927 §7.2). */
#define MTU_MIN_V4 552u
#define MTU_MIN_V6 1280u

static void too_big(struct tcp_conn *conn, uint32_t mtu)
{
	bool v4 = ip_addr_is_v4(&conn->tuple.peer);
	uint32_t least = v4 ? MTU_MIN_V4 : MTU_MIN_V6;
	uint32_t mss;

	if (mtu < least) /* an old router says 0 */
		mtu = least;
	mss = mtu - (v4 ? HEADERS_V4 : HEADERS_V6);
	if (mss >= conn->snd_mss)
		return;
	tcp_count(conn->stack, TCP_N_ICMP_TOO_BIG);
	conn->snd_mss = (uint16_t)mss;
	if (conn->state >= TCP_ESTABLISHED) {
		tcp_loss_rewind(conn);
		tcp_ready_output(conn);
	}
}

void tcp_icmp(struct tcp_stack *stack, const struct net_icmp *icmp, uint64_t now_us)
{
	struct tcp_tuple tuple = {.local = icmp->local,
		.peer = icmp->peer,
		.local_port = icmp->local_port,
		.peer_port = icmp->peer_port};
	struct tcp_conn *conn =
		tcp_table_find(&stack->table, &tuple, tcp_tuple_hash(&stack->hash_key, &tuple));

	stack->now_us = now_us;
	if (!conn) {
		tcp_count(stack, TCP_N_ICMP_UNKNOWN);
		return;
	}
	if (tcp_seq_lt(icmp->seq, conn->snd_una) || tcp_seq_ge(icmp->seq, conn->snd_nxt)) {
		tcp_count(stack, TCP_N_ICMP_FORGED);
		return;
	}
	if (icmp->kind == NET_ICMP_TOO_BIG) {
		too_big(conn, icmp->mtu);
		return;
	}
	tcp_count(stack, TCP_N_ICMP_SOFT);
	if (icmp->kind == NET_ICMP_PORT_UNREACHABLE && conn->state == TCP_SYN_SENT)
		tcp_conn_end(conn, TCP_FAIL_REFUSED);
}
