#include "dataplane/tcp/tcp.h"

#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_output_priv.h"
#include "dataplane/tcp/tcp_pressure_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"
#include "dataplane/tcp/tcp_receive_priv.h"
#include "dataplane/tcp/tcp_seq_priv.h"
#include "dataplane/tcp/tcp_timer_priv.h"

#include <errno.h>
#include <stdlib.h>

#define CONNECT_PORT_TRIES 64u
/* Connections that may hold something out of order, or be told of it, at once. */
#define OOO_CONNECTIONS_MIN 64u
#define OOO_BYTES_EACH      8192u

/* --- the stack --- */

static unsigned ooo_connections(const struct tcp_config *c)
{
	unsigned n = c->receive_bytes_max / OOO_BYTES_EACH;

	n = n < OOO_CONNECTIONS_MIN ? OOO_CONNECTIONS_MIN : n;
	return n < c->max_connections ? n : c->max_connections;
}

static struct siphash_key table_key(const struct tcp_config *c)
{
	struct siphash_key root = siphash_key_of(c->secret);
	uint64_t words[2] = {c->seed, 0};
	struct siphash_key key = {.k0 = siphash_words(&root, words, 2)};

	words[1] = 1;
	key.k1 = siphash_words(&root, words, 2);
	return key;
}

static int make_tables(struct tcp_stack *s)
{
	const struct tcp_config *c = &s->config;
	int err = tcp_table_init(&s->table, c->max_connections);

	if (!err)
		err = tcp_timewait_init(&s->timewait, c->max_time_wait);
	if (!err)
		err = tcp_reminder_init(&s->reminder, c->max_half_open);
	if (!err)
		err = slab_init(&s->conns, sizeof(struct tcp_conn), c->max_connections);
	if (!err)
		err = slab_init(
			&s->send_blocks, sizeof(struct tcp_send_block), c->send_block_count);
	if (!err)
		err = slab_init(&s->reasms, sizeof(struct tcp_reasm), ooo_connections(c));
	if (!err)
		err = slab_init(&s->scoreboards, sizeof(struct tcp_scoreboard), ooo_connections(c));
	return err;
}

static void free_tables(struct tcp_stack *s)
{
	slab_fini(&s->scoreboards);
	slab_fini(&s->reasms);
	slab_fini(&s->send_blocks);
	slab_fini(&s->conns);
	tcp_reminder_fini(&s->reminder);
	tcp_timewait_fini(&s->timewait);
	tcp_table_fini(&s->table);
}

int tcp_stack_new(const struct tcp_config *config, struct net *net, struct pkt_pool *pool,
	uint64_t now_us, struct tcp_stack **out)
{
	struct tcp_stack *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->net = net;
	s->pool = pool;
	s->now_us = now_us;
	s->hash_key = table_key(config);
	tcp_isn_init(&s->isn, config->secret);
	tcp_counters_init(&s->counters);
	wheel_init(&s->wheel, now_us);
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->output);
	TAILQ_INIT(&s->starved);
	s->port_tries = (uint32_t)config->seed;
	err = make_tables(s);
	if (err) {
		free_tables(s);
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

void tcp_stack_free(struct tcp_stack *stack)
{
	if (!stack)
		return;
	/* Packets go back to their pool; everything else goes with the slabs. */
	for (uint32_t i = 0; i <= stack->table.mask; i++)
		while (stack->table.buckets[i])
			tcp_conn_destroy(stack->table.buckets[i]);
	while (!TAILQ_EMPTY(&stack->ready))
		tcp_conn_destroy(TAILQ_FIRST(&stack->ready));
	free_tables(stack);
	free(stack);
}

int tcp_listen(struct tcp_stack *stack, uint16_t port, uint32_t receive_window)
{
	for (unsigned i = 0; i < stack->listener_count; i++)
		if (stack->listeners[i].port == port)
			return -EADDRINUSE;
	if (stack->listener_count == TCP_LISTENERS_MAX)
		return -ENOSPC;
	stack->listeners[stack->listener_count++] =
		(struct tcp_listener){.port = port, .receive_window = receive_window};
	return 0;
}

void tcp_unlisten(struct tcp_stack *stack, uint16_t port)
{
	for (unsigned i = 0; i < stack->listener_count; i++)
		if (stack->listeners[i].port == port) {
			stack->listeners[i] = stack->listeners[--stack->listener_count];
			return;
		}
}

int tcp_set_next_isn(struct tcp_stack *stack, uint32_t isn)
{
	if (!stack->config.scripted)
		return -EPERM;
	tcp_isn_force(&stack->isn, isn);
	return 0;
}

/* --- active open --- */

static bool choose_port(struct tcp_stack *stack, struct tcp_tuple *tuple)
{
	for (unsigned i = 0; i < CONNECT_PORT_TRIES; i++) {
		uint32_t hash;

		tuple->local_port = tcp_isn_port(&stack->isn, tuple, stack->port_tries++);
		hash = tcp_tuple_hash(&stack->hash_key, tuple);
		if (!tcp_table_find(&stack->table, tuple, hash) &&
			!tcp_timewait_find(&stack->timewait, tuple, hash))
			return true;
	}
	return false;
}

int tcp_connect_from(struct tcp_stack *stack, const struct ip_addr *local,
	const struct ip_addr *peer, uint16_t port, uint32_t receive_window, uint64_t now_us,
	struct tcp_conn **out)
{
	struct tcp_tuple tuple = {.local = *local, .peer = *peer, .peer_port = port};
	struct tcp_conn *conn;
	int rc;

	stack->now_us = now_us;
	if (port == 0)
		return -EINVAL;
	if (ip_addr_is_v4(local) != ip_addr_is_v4(peer))
		return -ENETUNREACH;
	rc = net_can_open(stack->net, peer);
	if (rc < 0)
		return rc;
	if (!choose_port(stack, &tuple))
		return -EADDRNOTAVAIL;
	conn = tcp_conn_new(stack, &tuple);
	if (!conn)
		return -ENOMEM;
	conn->state = TCP_SYN_SENT;
	conn->flags |= TCP_F_ACTIVE | TCP_F_HELD;
	conn->rcv_limit = receive_window;
	conn->iss = conn->snd_una = tcp_isn_sequence(&stack->isn, &tuple, now_us);
	conn->snd_nxt = conn->iss + 1;
	conn->snd_mss = conn->full_mss = net_mss(stack->net, peer);
	tcp_output_syn(conn, now_us);
	conn->rexmit_kind = TCP_REXMIT_RTO;
	conn->rexmit_at = now_us + conn->rtt.rto_us;
	tcp_timer_sync(conn);
	*out = conn;
	return 0;
}

int tcp_connect(struct tcp_stack *stack, const struct ip_addr *peer, uint16_t port,
	uint32_t receive_window, uint64_t now_us, struct tcp_conn **out)
{
	struct ip_addr local;

	if (!net_source_for(stack->net, peer, &local))
		return -ENETUNREACH;
	return tcp_connect_from(stack, &local, peer, port, receive_window, now_us, out);
}

/* --- the poll round --- */

static void set_gauges(struct tcp_stack *stack)
{
	counter *v = stack->counters.v;

	counter_set(&v[TCP_N_OPEN], stack->open);
	counter_set(&v[TCP_N_HALF_OPEN], stack->half_open);
	counter_set(&v[TCP_N_TIMEWAIT], stack->timewait.slab.in_use);
	counter_set(&v[TCP_N_RECEIVE_HELD], stack->receive_held);
	counter_set(&v[TCP_N_SEND_BLOCKS], stack->send_blocks.in_use);
}

uint64_t tcp_timers(struct tcp_stack *stack, uint64_t now_us)
{
	uint64_t next, at;

	stack->now_us = now_us;
	tcp_timer_run(stack, now_us);
	tcp_pressure_watch(stack);
	set_gauges(stack);
	next = wheel_next_us(&stack->wheel);
	at = tcp_timewait_sweep(&stack->timewait, now_us);
	if (at < next)
		next = at;
	at = tcp_reminder_next_us(&stack->reminder);
	return at < next ? at : next;
}

void tcp_flush(struct tcp_stack *stack, uint64_t now_us)
{
	struct tcp_conn *conn;

	stack->now_us = now_us;
	while ((conn = TAILQ_FIRST(&stack->output))) {
		TAILQ_REMOVE(&stack->output, conn, output_link);
		conn->flags &= ~(uint32_t)TCP_F_IN_OUTPUT;
		tcp_output(conn, now_us);
	}
}

struct tcp_conn *tcp_next_ready(struct tcp_stack *stack, unsigned *ready)
{
	struct tcp_conn *conn = TAILQ_FIRST(&stack->ready);

	if (!conn)
		return NULL;
	TAILQ_REMOVE(&stack->ready, conn, ready_link);
	conn->flags &= ~(uint32_t)TCP_F_IN_READY;
	conn->flags |= TCP_F_HELD;
	*ready = conn->ready;
	conn->ready = 0;
	return conn;
}

/* --- bytes --- */

struct bytes tcp_peek(const struct tcp_conn *conn)
{
	const struct pkt *pkt = conn->rcv_head;

	return pkt ? bytes_of(pkt->data, pkt->len) : (struct bytes){NULL, 0};
}

void tcp_consume(struct tcp_conn *conn, uint32_t n)
{
	tcp_receive_consume(conn, tcp_min_u32(n, conn->rcv_unread));
	if (conn->state != TCP_CLOSED) {
		if (tcp_receive_window_news(conn))
			tcp_ready_output(conn);
	} else if (conn->rcv_unread == 0 && conn->failure == TCP_FAIL_NONE) {
		tcp_ready_add(conn, TCP_READY_CLOSED);
	}
}

void tcp_set_receive_window(struct tcp_conn *conn, uint32_t octets)
{
	conn->rcv_limit = octets;
	if (conn->state != TCP_CLOSED && tcp_receive_window_news(conn))
		tcp_ready_output(conn);
}

uint32_t tcp_send(struct tcp_conn *conn, struct bytes bytes)
{
	struct tcp_stack *stack = conn->stack;
	uint32_t room, taken = 0;

	if (conn->state == TCP_CLOSED || tcp_conn_has(conn, TCP_F_FIN_QUEUED))
		return 0;
	room = conn->send.len < stack->config.send_buffer_max
		       ? stack->config.send_buffer_max - conn->send.len
		       : 0;
	if (room > 0)
		taken = tcp_send_buffer_append(
			&conn->send, &stack->send_blocks, bytes_slice(bytes, 0, room));
	if (taken > 0) {
		conn->flags |= TCP_F_UNSENT_SIGNAL;
		tcp_ready_output(conn);
	}
	if (taken < bytes.len) {
		conn->flags |= TCP_F_WANT_WRITE;
		if (taken <
			room) { /* it was blocks that lacked, and others' ACKs that bring them */
			tcp_count(stack, TCP_N_SEND_STARVED);
			tcp_ready_starve(conn);
		}
	}
	return taken;
}

uint32_t tcp_unacked(const struct tcp_conn *conn)
{
	return conn->send.len;
}

/* --- the end --- */

void tcp_shutdown(struct tcp_conn *conn)
{
	if (conn->state == TCP_CLOSED || tcp_conn_has(conn, TCP_F_FIN_QUEUED))
		return;
	conn->flags |= TCP_F_FIN_QUEUED;
	if (conn->state == TCP_ESTABLISHED)
		conn->state = TCP_FIN_WAIT_1;
	else if (conn->state == TCP_CLOSE_WAIT)
		conn->state = TCP_LAST_ACK;
	tcp_ready_output(conn);
}

void tcp_close(struct tcp_conn *conn)
{
	struct tcp_stack *stack = conn->stack;
	uint64_t linger_us = (uint64_t)stack->config.linger_ms * 1000;
	bool in_handshake = conn->state == TCP_SYN_SENT || conn->state == TCP_SYN_RECEIVED;

	if (conn->state == TCP_CLOSED || (in_handshake && conn->send.len == 0)) {
		tcp_conn_destroy(conn);
		return;
	}
	tcp_shutdown(conn);
	tcp_ready_forget(conn);
	conn->flags &= ~(uint32_t)TCP_F_HELD;
	conn->flags |= TCP_F_ORPHAN;
	tcp_ready_output(conn);
	conn->idle_at = stack->now_us + (conn->state == TCP_FIN_WAIT_2 ? linger_us : TCP_ORPHAN_US);
	tcp_timer_sync(conn);
	conn->discarded += conn->rcv_unread;
	tcp_receive_consume(conn, conn->rcv_unread);
}

void tcp_abort(struct tcp_conn *conn)
{
	if (conn->state > TCP_SYN_SENT) /* before that the peer knows of nothing (§3.10.5) */
		tcp_output_rst(conn, conn->stack->now_us);
	tcp_conn_destroy(conn);
}

void tcp_release(struct tcp_conn *conn)
{
	tcp_abort(conn);
}

/* --- looking at it --- */

const char *tcp_state_of(const struct tcp_conn *conn)
{
	return tcp_state_name((enum tcp_state)conn->state);
}

uint32_t tcp_unread(const struct tcp_conn *conn)
{
	return conn->rcv_unread;
}

enum tcp_failure tcp_error(const struct tcp_conn *conn)
{
	return (enum tcp_failure)conn->failure;
}

void tcp_peer(const struct tcp_conn *conn, struct ip_addr *addr, uint16_t *port)
{
	*addr = conn->tuple.peer;
	*port = conn->tuple.peer_port;
}

void tcp_local(const struct tcp_conn *conn, struct ip_addr *addr, uint16_t *port)
{
	*addr = conn->tuple.local;
	*port = conn->tuple.local_port;
}

void tcp_set_user(struct tcp_conn *conn, void *user)
{
	conn->user = user;
}

void *tcp_user(const struct tcp_conn *conn)
{
	return conn->user;
}

unsigned tcp_open_connections(const struct tcp_stack *stack)
{
	return stack->open;
}

const struct counter_block *tcp_counters(const struct tcp_stack *stack)
{
	return &stack->counters.block;
}
