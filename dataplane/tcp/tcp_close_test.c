/* How connections begin and end from our side: active open, the ways to close, lingering,
 * TIME-WAIT. */
#include "dataplane/tcp/tcp_rig.h"

#include <errno.h>

#define PEER_ISN 9000u

/* Our stack opens towards the peer; its SYN is the last segment sent. */
static void dial(struct rig *r)
{
	assert_int_equal(
		tcp_connect(r->stack, &r->w.nets[0].addr, 2525, 8192, r->w.now_us, &r->conn), 0);
	assert_int_equal(rig_last(r)->flags, TCP_SYN);
	r->port = 2525;
	r->rcv = rig_last(r)->seq + 1;
}

static void answer(struct rig *r, uint32_t seq, uint32_t ack, uint8_t flags)
{
	struct tcp_header h = {.dst_port = r->conn->tuple.local_port,
		.seq = seq,
		.ack = ack,
		.flags = flags,
		.window = 65535};

	rig_send_header(r, &h, NULL, 0);
}

/* --- active open --- */

static void active_open_offers_everything_and_completes(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	assert_int_equal(
		rig_last(&r)->has, TCP_HAS_MSS | TCP_HAS_WSCALE | TCP_HAS_SACK_OK | TCP_HAS_TS);
	assert_int_equal(rig_last(&r)->mss, 1460);
	answer(&r, PEER_ISN, r.rcv, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_last(&r)->flags, TCP_ACK);
	assert_int_equal(rig_last(&r)->ack, PEER_ISN + 1);
	assert_int_equal(rig_last(&r)->has, 0);
	rig_serve(&r);
	assert_int_equal(r.ready, TCP_READY_OPENED);
	rig_fini(&r);
}

static void refused_open_fails(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	answer(&r, 0, r.rcv, TCP_RST | TCP_ACK);
	rig_serve(&r);
	assert_int_equal(r.ready, TCP_READY_FAILED);
	assert_int_equal(tcp_error(r.conn), TCP_FAIL_REFUSED);
	rig_fini(&r);
}

static void rst_that_does_not_know_our_syn_refuses_nothing(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	rig_forget(&r);
	answer(&r, 0, 0, TCP_RST);
	answer(&r, 0, r.rcv + 1, TCP_RST | TCP_ACK);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.conn->state, TCP_SYN_SENT);
	rig_fini(&r);
}

static void wrong_ack_of_our_syn_gets_rst(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	answer(&r, PEER_ISN, r.rcv - 1, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_last(&r)->flags, TCP_RST);
	assert_int_equal(rig_last(&r)->seq, r.rcv - 1);
	assert_int_equal(r.conn->state, TCP_SYN_SENT);
	rig_fini(&r);
}

static void unanswered_open_is_tried_for_three_minutes(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	rig_wait(&r, 179000000);
	assert_int_equal(r.conn->state, TCP_SYN_SENT);
	assert_in_range(r.count, 6, 12);
	rig_wait(&r, 120000000);
	assert_int_equal(tcp_error(r.conn), TCP_FAIL_TIMEOUT);
	rig_fini(&r);
}

static void both_may_open_at_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	answer(&r, PEER_ISN, 0, TCP_SYN);
	assert_int_equal(r.conn->state, TCP_SYN_RECEIVED);
	assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_last(&r)->seq, r.rcv - 1);
	answer(&r, PEER_ISN, r.rcv, TCP_SYN | TCP_ACK);
	assert_int_equal(r.conn->state, TCP_ESTABLISHED);
	rig_serve(&r);
	assert_int_equal(r.ready, TCP_READY_OPENED);
	rig_fini(&r);
}

static void abandoned_open_sends_no_rst(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	tcp_abort(r.conn);
	r.conn = NULL;
	assert_int_equal(r.count, 1);
	assert_int_equal(r.stack->conns.in_use, 0);
	rig_fini(&r);
}

static void no_address_of_the_family_is_unreachable(void **state)
{
	uint8_t octets[16] = {0x20, 0x01};
	struct ip_addr v6 = ip_addr_v6(octets);
	struct tcp_conn *conn;
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	assert_int_equal(tcp_connect(r.stack, &v6, 25, 4096, r.w.now_us, &conn), -ENETUNREACH);
	rig_fini(&r);
}

static void opens_from_the_address_it_is_told(void **state)
{
	uint8_t octets[16] = {0x20, 0x01};
	struct ip_addr v6 = ip_addr_v6(octets), local;
	struct tcp_conn *conn;
	uint16_t port;
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	dial(&r);
	tcp_local(r.conn, &local, &port);
	local.octets[15] ^= 1;
	assert_int_equal(
		tcp_connect_from(r.stack, &local, &r.w.nets[0].addr, 25, 4096, r.w.now_us, &conn),
		0);
	assert_true(ip_addr_eq(&conn->tuple.local, &local));
	assert_int_equal(
		tcp_connect_from(r.stack, &v6, &r.w.nets[0].addr, 25, 4096, r.w.now_us, &conn),
		-ENETUNREACH);
	rig_fini(&r);
}

/* --- closing --- */

static void half_closed_connection_goes_on_sending(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send(&r, TCP_ACK | TCP_FIN, "QUIT\r\n");
	rig_serve(&r);
	assert_true(r.ready & TCP_READY_PEER_SHUT);
	rig_expect_text(&r, "QUIT\r\n");
	rig_write(&r, "221 bye\r\n");
	assert_int_equal(rig_last_len(&r), 9);
	r.rcv += 9;
	tcp_shutdown(r.conn);
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(rig_last(&r)->flags, TCP_ACK | TCP_FIN | TCP_PSH);
	assert_int_equal(r.conn->state, TCP_LAST_ACK);
	r.rcv++;
	rig_send(&r, TCP_ACK, NULL);
	rig_serve(&r);
	assert_true(r.ready & TCP_READY_CLOSED);
	assert_int_equal(r.stack->timewait.slab.in_use, 0);
	rig_fini(&r);
}

static void we_may_shut_first_and_go_on_reading(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_write(&r, "bye");
	tcp_shutdown(r.conn);
	tcp_flush(r.stack, r.w.now_us);
	r.rcv += 4;
	rig_send(&r, TCP_ACK, NULL);
	assert_int_equal(r.conn->state, TCP_FIN_WAIT_2);
	rig_send(&r, TCP_ACK, "still here");
	rig_send(&r, TCP_ACK | TCP_FIN, NULL);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	assert_int_equal(r.stack->timewait.slab.in_use, 1);
	rig_serve(&r);
	assert_false(r.ready & TCP_READY_CLOSED);
	rig_expect_text(&r, "still here");
	rig_serve(&r);
	assert_true(r.ready & TCP_READY_CLOSED);
	rig_fini(&r);
}

static void both_may_close_at_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	tcp_shutdown(r.conn);
	tcp_flush(r.stack, r.w.now_us);
	rig_send(&r, TCP_ACK | TCP_FIN, NULL);
	assert_int_equal(r.conn->state, TCP_CLOSING);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	r.rcv++;
	rig_send(&r, TCP_ACK, NULL);
	assert_int_equal(r.stack->timewait.slab.in_use, 1);
	rig_serve(&r);
	assert_true(r.ready & TCP_READY_CLOSED);
	rig_fini(&r);
}

static void abort_sends_rst_at_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	tcp_abort(r.conn);
	r.conn = NULL;
	assert_int_equal(rig_last(&r)->flags, TCP_RST | TCP_ACK);
	assert_int_equal(rig_last(&r)->seq, r.rcv);
	assert_int_equal(r.stack->table.count, 0);
	assert_int_equal(tcp_open_connections(r.stack), 0);
	rig_fini(&r);
}

/* --- lingering --- */

static void open_and_close(struct rig *r)
{
	rig_init(r, NULL, 65535);
	rig_open(r, 0);
	rig_write(r, "554 no\r\n");
	tcp_close(r->conn);
	r->conn = NULL;
	tcp_flush(r->stack, r->w.now_us);
	assert_true(rig_last(r)->flags & TCP_FIN);
	r->rcv += 9;
}

static void last_reply_survives_a_peer_that_goes_on_sending(void **state)
{
	char text[1001];
	struct rig r;

	(void)state;
	memset(text, 'm', 1000);
	text[1000] = '\0';
	open_and_close(&r);
	for (int i = 0; i < 60; i++)
		rig_send(&r, TCP_ACK, text);
	for (unsigned i = 0; i < r.count; i++)
		assert_false(r.sent[i].flags & TCP_RST);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	rig_send(&r, TCP_ACK | TCP_FIN, NULL);
	assert_int_equal(r.stack->table.count, 0);
	assert_int_equal(r.stack->timewait.slab.in_use, 1);
	assert_int_equal(rig_last(&r)->flags, TCP_ACK);
	rig_fini(&r);
}

static void lingering_ends_by_octets(void **state)
{
	char text[1001];
	struct rig r;

	(void)state;
	memset(text, 'm', 1000);
	text[1000] = '\0';
	open_and_close(&r);
	for (int i = 0; i < 66; i++)
		rig_send(&r, TCP_ACK, text);
	assert_true(rig_last(&r)->flags & TCP_RST);
	assert_int_equal(r.stack->table.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_LINGER_CUT), 1);
	rig_fini(&r);
}

static void lingering_ends_by_time(void **state)
{
	struct rig r;

	(void)state;
	open_and_close(&r);
	rig_send(&r, TCP_ACK, NULL);
	rig_wait(&r, 1990000);
	assert_int_equal(r.stack->table.count, 1);
	rig_wait(&r, 20000);
	assert_int_equal(r.stack->table.count, 0);
	assert_true(rig_last(&r)->flags & TCP_RST);
	rig_fini(&r);
}

static void unacknowledged_reply_is_repeated_past_the_linger_time(void **state)
{
	struct rig r;

	(void)state;
	open_and_close(&r);
	rig_forget(&r);
	rig_wait(&r, 10000000);
	assert_int_equal(r.stack->table.count, 1);
	assert_true(r.count >= 2);
	assert_int_equal(rig_last_len(&r), 8);
	assert_true(rig_last(&r)->flags & TCP_FIN);
	rig_wait(&r, 120000000);
	assert_int_equal(r.stack->table.count, 0);
	rig_fini(&r);
}

static void data_unread_at_close_counts_and_is_no_reset(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send(&r, TCP_ACK, "unread");
	tcp_close(r.conn);
	r.conn = NULL;
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(rig_last(&r)->flags & (TCP_FIN | TCP_RST), TCP_FIN);
	assert_int_equal(r.stack->receive_held, 0);
	rig_fini(&r);
}

/* --- TIME-WAIT --- */

static void enter_time_wait(struct rig *r, uint8_t has)
{
	rig_init(r, NULL, 4096);
	rig_open(r, has);
	tcp_close(r->conn);
	r->conn = NULL;
	tcp_flush(r->stack, r->w.now_us);
	r->rcv++;
	rig_send(r, TCP_ACK | TCP_FIN, NULL);
	assert_int_equal(r->stack->timewait.slab.in_use, 1);
	assert_int_equal(r->stack->conns.in_use, 0);
	rig_forget(r);
}

static void time_wait_acknowledges_a_repeated_fin_and_waits_anew(void **state)
{
	struct rig r;

	(void)state;
	enter_time_wait(&r, 0);
	rig_wait(&r, 50000000);
	rig_send_at(&r, r.snd - 1, r.rcv, TCP_ACK | TCP_FIN, NULL);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	assert_int_equal(rig_last(&r)->seq, r.rcv);
	rig_wait(&r, 50000000);
	assert_int_equal(r.stack->timewait.slab.in_use, 1);
	rig_wait(&r, 11000000);
	assert_int_equal(r.stack->timewait.slab.in_use, 0);
	rig_fini(&r);
}

static void time_wait_is_taken_over_by_a_newer_syn(void **state)
{
	struct rig r;
	uint32_t old;

	(void)state;
	enter_time_wait(&r, 0);
	old = r.rcv;
	rig_send_at(&r, r.snd + 1, 0, TCP_SYN, NULL);
	assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK);
	assert_true((int32_t)(rig_last(&r)->seq - old) > 65535);
	assert_int_equal(r.stack->timewait.slab.in_use, 0);
	rig_fini(&r);
}

static void time_wait_answers_an_old_syn_with_an_ack(void **state)
{
	struct rig r;

	(void)state;
	enter_time_wait(&r, 0);
	rig_send_at(&r, r.snd - 10, 0, TCP_SYN, NULL);
	assert_int_equal(rig_last(&r)->flags, TCP_ACK);
	assert_int_equal(r.stack->timewait.slab.in_use, 1);
	rig_fini(&r);
}

static void time_wait_is_taken_over_by_timestamp_whatever_the_number(void **state)
{
	struct rig r;

	(void)state;
	enter_time_wait(&r, TCP_HAS_TS);
	r.ts += 1;
	rig_syn(&r, TCP_HAS_TS); /* at the very number of the old connection */
	assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK);
	rig_fini(&r);
}

static void time_wait_ends_by_the_exact_rst_only(void **state)
{
	struct rig r;

	(void)state;
	enter_time_wait(&r, 0);
	rig_send_at(&r, r.snd + 1, 0, TCP_RST, NULL);
	assert_int_equal(r.stack->timewait.slab.in_use, 1);
	rig_send_at(&r, r.snd, 0, TCP_RST, NULL);
	assert_int_equal(r.stack->timewait.slab.in_use, 0);
	assert_int_equal(r.count, 0);
	rig_fini(&r);
}

static void time_wait_never_answers_the_last_ack(void **state)
{
	struct rig r;

	(void)state;
	enter_time_wait(&r, 0);
	rig_send(&r, TCP_ACK, NULL);
	assert_int_equal(r.count, 0);
	rig_fini(&r);
}

static void time_wait_table_is_bounded(void **state)
{
	struct rig r;

	(void)state;
	enter_time_wait(&r, 0);
	for (int i = 0; i < 100; i++) {
		r.port++;
		r.ready = 0;
		rig_open(&r, 0);
		tcp_close(r.conn);
		r.conn = NULL;
		tcp_flush(r.stack, r.w.now_us);
		r.rcv++;
		rig_send(&r, TCP_ACK | TCP_FIN, NULL);
		rig_forget(&r);
	}
	assert_int_equal(r.stack->timewait.slab.in_use, 64);
	assert_int_equal(rig_counted(&r, TCP_N_TIMEWAIT_EVICTED), 37);
	rig_fini(&r);
}

/* --- keepalive --- */

static void keepalive_probes_and_then_gives_up(void **state)
{
	struct tcp_config c = mock_config();
	struct rig r;

	(void)state;
	c.keepalive_s = 100;
	rig_init(&r, &c, 4096);
	rig_open(&r, 0);
	rig_wait(&r, 99000000);
	assert_int_equal(r.count, 0);
	rig_wait(&r, 2000000);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->seq, r.rcv - 1);
	rig_send(&r, TCP_ACK, NULL); /* alive */
	rig_wait(&r, 98000000);
	assert_int_equal(r.count, 1);
	rig_wait(&r, 300000000);
	assert_true(r.ready & TCP_READY_FAILED);
	assert_int_equal(tcp_error(r.conn), TCP_FAIL_TIMEOUT);
	assert_int_equal(r.count, 1 + 8 + 1);
	assert_true(rig_last(&r)->flags & TCP_RST);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(active_open_offers_everything_and_completes),
		cmocka_unit_test(refused_open_fails),
		cmocka_unit_test(rst_that_does_not_know_our_syn_refuses_nothing),
		cmocka_unit_test(wrong_ack_of_our_syn_gets_rst),
		cmocka_unit_test(unanswered_open_is_tried_for_three_minutes),
		cmocka_unit_test(both_may_open_at_once),
		cmocka_unit_test(abandoned_open_sends_no_rst),
		cmocka_unit_test(no_address_of_the_family_is_unreachable),
		cmocka_unit_test(opens_from_the_address_it_is_told),
		cmocka_unit_test(half_closed_connection_goes_on_sending),
		cmocka_unit_test(we_may_shut_first_and_go_on_reading),
		cmocka_unit_test(both_may_close_at_once),
		cmocka_unit_test(abort_sends_rst_at_once),
		cmocka_unit_test(last_reply_survives_a_peer_that_goes_on_sending),
		cmocka_unit_test(lingering_ends_by_octets),
		cmocka_unit_test(lingering_ends_by_time),
		cmocka_unit_test(unacknowledged_reply_is_repeated_past_the_linger_time),
		cmocka_unit_test(data_unread_at_close_counts_and_is_no_reset),
		cmocka_unit_test(time_wait_acknowledges_a_repeated_fin_and_waits_anew),
		cmocka_unit_test(time_wait_is_taken_over_by_a_newer_syn),
		cmocka_unit_test(time_wait_answers_an_old_syn_with_an_ack),
		cmocka_unit_test(time_wait_is_taken_over_by_timestamp_whatever_the_number),
		cmocka_unit_test(time_wait_ends_by_the_exact_rst_only),
		cmocka_unit_test(time_wait_never_answers_the_last_ack),
		cmocka_unit_test(time_wait_table_is_bounded),
		cmocka_unit_test(keepalive_probes_and_then_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
