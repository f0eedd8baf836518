#include "dataplane/tcp/tcp_ready_priv.h"

void tcp_ready_add(struct tcp_conn *conn, unsigned what)
{
	if (tcp_conn_has(conn, TCP_F_ORPHAN))
		return;
	conn->ready = (uint8_t)(conn->ready | what);
	if (tcp_conn_has(conn, TCP_F_IN_READY))
		return;
	conn->flags |= TCP_F_IN_READY;
	TAILQ_INSERT_TAIL(&conn->stack->ready, conn, ready_link);
}

void tcp_ready_output(struct tcp_conn *conn)
{
	if (tcp_conn_has(conn, TCP_F_IN_OUTPUT))
		return;
	conn->flags |= TCP_F_IN_OUTPUT;
	TAILQ_INSERT_TAIL(&conn->stack->output, conn, output_link);
}

void tcp_ready_starve(struct tcp_conn *conn)
{
	if (tcp_conn_has(conn, TCP_F_IN_STARVED))
		return;
	conn->flags |= TCP_F_IN_STARVED;
	TAILQ_INSERT_TAIL(&conn->stack->starved, conn, starved_link);
}

void tcp_ready_feed(struct tcp_stack *stack, unsigned n)
{
	struct tcp_conn *conn;

	while (n-- > 0 && (conn = TAILQ_FIRST(&stack->starved))) {
		conn->flags &= ~(uint32_t)(TCP_F_IN_STARVED | TCP_F_WANT_WRITE);
		TAILQ_REMOVE(&stack->starved, conn, starved_link);
		tcp_ready_add(conn, TCP_READY_WRITABLE);
	}
}

void tcp_ready_forget(struct tcp_conn *conn)
{
	struct tcp_stack *stack = conn->stack;

	if (tcp_conn_has(conn, TCP_F_IN_READY))
		TAILQ_REMOVE(&stack->ready, conn, ready_link);
	if (tcp_conn_has(conn, TCP_F_IN_OUTPUT))
		TAILQ_REMOVE(&stack->output, conn, output_link);
	if (tcp_conn_has(conn, TCP_F_IN_STARVED))
		TAILQ_REMOVE(&stack->starved, conn, starved_link);
	conn->flags &= ~(uint32_t)(TCP_F_IN_READY | TCP_F_IN_OUTPUT | TCP_F_IN_STARVED);
	conn->ready = 0;
}
