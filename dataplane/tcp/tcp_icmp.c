#include "dataplane/tcp/tcp_path_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"

/*
 * ICMP errors, believed only where the sequence number they quote is in flight (RFC 5927 §4). None
 * of them ends an open connection: hard errors count as soft ones there (§5.2).
 */

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
		tcp_path_too_big(conn, icmp->mtu, now_us);
		return;
	}
	tcp_count(stack, TCP_N_ICMP_SOFT);
	if (icmp->kind == NET_ICMP_PORT_UNREACHABLE && conn->state == TCP_SYN_SENT)
		tcp_conn_end(conn, TCP_FAIL_REFUSED);
}
