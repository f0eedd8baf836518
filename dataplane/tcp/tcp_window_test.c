/* Windows both ways: closing, probing, shrinking, silly ones, and the memory behind them. */
#include "dataplane/tcp/tcp_rig.h"

#define MSS 1000u

static void fill(struct rig *r, uint32_t octets)
{
	char text[MSS + 1];

	memset(text, 'x', MSS);
	while (octets > 0) {
		uint32_t n = octets < MSS ? octets : MSS;

		text[n] = '\0';
		rig_send(r, TCP_ACK, text);
		octets -= n;
	}
}

static void consume(struct rig *r, uint32_t n)
{
	while (n > 0) {
		uint32_t part = (uint32_t)tcp_peek(r->conn).len;

		assert_true(part > 0);
		part = part < n ? part : n;
		tcp_consume(r->conn, part);
		n -= part;
	}
	tcp_flush(r->stack, r->w.now_us);
}

/* The peer tells of its window. */
static void tell_window(struct rig *r, uint32_t ack, uint16_t window)
{
	struct tcp_header h = {.seq = r->snd, .ack = ack, .flags = TCP_ACK, .window = window};

	rig_send_header(r, &h, NULL, 0);
}

/* --- ours --- */

static void full_window_closes_and_probes_are_answered(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	fill(&r, 4096);
	rig_wait(&r, 100000);
	assert_int_equal(rig_last(&r)->window, 0);
	rig_forget(&r);
	for (int i = 0; i < 20; i++)
		rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "p");
	assert_int_equal(r.count, 20);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	assert_int_equal(rig_last(&r)->window, 0);
	assert_int_equal(r.conn->rcv_unread, 4096);
	rig_fini(&r);
}

static void reopening_is_told_at_once_and_not_in_driblets(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	fill(&r, 4096);
	rig_wait(&r, 100000);
	rig_forget(&r);
	for (int i = 0; i < 99; i++)
		consume(&r, 10);
	assert_int_equal(r.count, 0);
	consume(&r, 10);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->window, 1000);
	consume(&r, 3096);
	assert_int_equal(rig_last(&r)->window, 4096);
	rig_fini(&r);
}

static void ack_and_fin_are_heard_while_the_window_is_shut(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_write(&r, "220 hi\r\n");
	fill(&r, 4096);
	r.rcv += 8;
	rig_send(&r, TCP_ACK, NULL);
	assert_int_equal(tcp_unacked(r.conn), 0);
	rig_send(&r, TCP_ACK | TCP_FIN, NULL);
	assert_int_equal(r.conn->state, TCP_CLOSE_WAIT);
	rig_fini(&r);
}

static void smaller_window_never_takes_back_what_was_offered(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 65535);
	rig_open(&r, 0);
	tcp_set_receive_window(r.conn, 4096);
	fill(&r, 20000);
	assert_int_equal(r.conn->rcv_unread, 20000);
	assert_int_equal(rig_last(&r)->window, 65535 - 20000);
	consume(&r, 20000);
	assert_int_equal(r.conn->rcv_adv, RIG_ISN + 1 + 65535);
	rig_fini(&r);
}

static void larger_window_is_told_at_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_WSCALE);
	tcp_set_receive_window(r.conn, 1u << 20);
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(r.count, 1);
	assert_int_equal((uint32_t)rig_last(&r)->window << TCP_RCV_WSCALE, 1u << 20);
	rig_fini(&r);
}

static void tiny_segments_never_keep_a_scaled_window_open(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_WSCALE);
	for (unsigned i = 0; i < 10000; i++)
		rig_send_at(&r, r.conn->rcv_nxt, r.rcv, TCP_ACK, "x");
	assert_true(r.conn->rcv_unread <= 4096);
	rig_fini(&r);
}

/* --- the peer's --- */

static void sends_no_more_than_the_window(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_MSS);
	tell_window(&r, r.rcv, 2500);
	for (int i = 0; i < 10; i++)
		rig_write(&r,
			"0123456789012345678901234567890123456789012345678901234567890123456"
			"7890123456789012345678901234567890123456789012345678901234567890123456"
			"78901234567890123456789012345678901234567890123456789012345678901234567"
			"8901234567890123456789012345678901234567890123456789012345678901234567"
			"89012345678901234567890123456789012345678901234567890123456789");
	assert_true(r.conn->snd_nxt - r.conn->snd_una <= 2500);
	rig_fini(&r);
}

static void shut_window_is_probed_ever_more_rarely_until_it_opens(void **state)
{
	uint64_t last = 0, gap = 0;
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	tell_window(&r, r.rcv, 0);
	rig_write(&r, "250 2.0.0 Ok\r\n");
	assert_int_equal(r.count, 0);
	for (int i = 0; i < 6; i++) {
		unsigned before = r.count;

		while (r.count == before)
			rig_wait(&r, 1000);
		assert_int_equal(rig_last(&r)->seq, r.rcv);
		assert_int_equal(rig_last_len(&r), 1);
		if (i > 1)
			assert_true(r.w.now_us - last >= gap * 3 / 2);
		gap = i > 0 ? r.w.now_us - last : 0;
		last = r.w.now_us;
		tell_window(&r, r.rcv, 0); /* alive, but still shut */
	}
	rig_forget(&r);
	tell_window(&r, r.rcv, 1000);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->seq, r.rcv);
	assert_int_equal(rig_last_len(&r), 14);
	rig_fini(&r);
}

static void accepted_probe_octet_is_not_sent_again(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	tell_window(&r, r.rcv, 0);
	rig_write(&r, "250 2.0.0 Ok\r\n");
	while (r.count == 0)
		rig_wait(&r, 1000);
	rig_forget(&r);
	tell_window(&r, r.rcv + 1, 5000);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->seq, r.rcv + 1);
	assert_int_equal(rig_last_len(&r), 13);
	rig_fini(&r);
}

static void answered_probes_go_on_and_unanswered_ones_end_the_connection(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	tell_window(&r, r.rcv, 0);
	rig_write(&r, "x");
	for (int i = 0; i < 3600; i++) {
		rig_wait(&r, 1000000);
		tell_window(&r, r.rcv, 0);
		rig_forget(&r);
	}
	assert_int_equal(r.conn->state, TCP_ESTABLISHED);
	rig_wait(&r, 400000000);
	assert_true(r.ready & TCP_READY_FAILED);
	assert_int_equal(tcp_error(r.conn), TCP_FAIL_TIMEOUT);
	rig_fini(&r);
}

static void window_that_shrinks_under_data_in_flight_is_survived(void **state)
{
	struct rig r;
	char text[3001];

	(void)state;
	memset(text, 'y', 3000);
	text[3000] = '\0';
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_MSS);
	rig_write(&r, text);
	assert_int_equal(r.count, 3);
	tell_window(&r, r.rcv, 500);
	rig_forget(&r);
	rig_wait(&r, 3000000);
	assert_true(r.count > 0);
	for (unsigned i = 0; i < r.count; i++)
		assert_true(r.sent[i].seq + r.sent_len[i] - r.rcv <= 500 || r.sent_len[i] == 1000);
	assert_int_equal(rig_last(&r)->seq, r.rcv);
	assert_int_equal(rig_last_len(&r), 500);
	rig_forget(&r);
	tell_window(&r, r.rcv + 500, 0);
	rig_wait(&r, 10000000);
	assert_int_equal(rig_last_len(&r), 1);
	rig_forget(&r);
	tell_window(&r, r.rcv + 500, 60000);
	rig_wait(&r, 1000);
	assert_int_equal(r.sent[0].seq, r.rcv + 500);
	tell_window(&r, r.rcv + 3000, 60000);
	assert_int_equal(tcp_unacked(r.conn), 0);
	rig_fini(&r);
}

static void small_offer_is_used_only_after_a_while(void **state)
{
	struct rig r;
	char text[3001];

	(void)state;
	memset(text, 'y', 3000);
	text[3000] = '\0';
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_MSS);
	tell_window(&r, r.rcv, 10);
	rig_write(&r, text);
	assert_int_equal(r.count, 0);
	rig_wait(&r, 2000000);
	assert_true(r.count > 0);
	assert_int_equal(r.sent_len[0], 10);
	rig_fini(&r);
}

/* --- memory --- */

static void one_octet_segments_pin_no_more_than_their_share(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 65535);
	rig_open(&r, 0);
	for (unsigned i = 0; i < 60000; i++)
		rig_send(&r, TCP_ACK, "x");
	assert_int_equal(r.conn->rcv_unread, 60000);
	assert_true(r.stack->receive_held < 3 * 65535);
	rig_fini(&r);
}

static void scattered_octets_are_bounded_in_ranges_and_memory(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 65535);
	rig_open(&r, 0);
	for (unsigned i = 0; i < 20000; i++)
		rig_send_at(&r, r.snd + 1 + 2 * i, r.rcv, TCP_ACK, "x");
	assert_true(r.stack->receive_held <= TCP_REASM_RANGES * 2304);
	assert_true(rig_counted(&r, TCP_N_DROP_OOO_FULL) > 19000);
	/* Nearer ones push the furthest out. */
	rig_forget(&r);
	rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "abc");
	assert_int_equal(rig_last(&r)->ack, r.snd + 4);
	rig_fini(&r);
}

static void nearer_range_takes_the_place_of_the_furthest(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 65535);
	rig_open(&r, 0);
	for (unsigned i = 0; i < TCP_REASM_RANGES; i++)
		rig_send_at(&r, r.snd + 1000 + 10 * i, r.rcv, TCP_ACK, "x");
	rig_send_at(&r, r.snd + 500, r.rcv, TCP_ACK, "y");
	assert_int_equal(r.conn->reasm->count, TCP_REASM_RANGES);
	assert_int_equal(r.conn->reasm->ranges[0].start, r.snd + 500);
	assert_int_equal(rig_counted(&r, TCP_N_OOO_RANGES_DROPPED), 1);
	rig_fini(&r);
}

static void memory_of_the_stack_is_bounded_and_acknowledged_data_stays(void **state)
{
	struct tcp_config c = mock_config();
	struct rig r;

	(void)state;
	c.receive_bytes_max = 100000;
	rig_init(&r, &c, 1u << 20);
	rig_open(&r, TCP_HAS_WSCALE);
	for (int i = 0; i < 200; i++) {
		fill(&r, 1000);
		assert_true(r.stack->receive_held <= 100000);
	}
	assert_true(rig_counted(&r, TCP_N_DROP_MEMORY) > 0);
	assert_int_equal(r.conn->rcv_unread, r.conn->rcv_nxt - RIG_ISN - 1);
	assert_true((uint32_t)rig_last(&r)->window << TCP_RCV_WSCALE <= 1u << 20);
	consume(&r, r.conn->rcv_unread);
	assert_int_equal(r.stack->receive_held, 0);
	rig_fini(&r);
}

static void send_memory_is_shared_and_the_starved_are_woken(void **state)
{
	struct tcp_config c = mock_config();
	struct tcp_conn *first, *second;
	static uint8_t big[40000];
	struct rig r;

	(void)state;
	c.send_block_count = 16;
	rig_init(&r, &c, 4096);
	rig_open(&r, TCP_HAS_MSS);
	first = r.conn;
	assert_in_range(
		tcp_send(first, bytes_of(big, sizeof(big))), 16 * 1000, 16 * TCP_SEND_BLOCK_OCTETS);
	r.port++;
	rig_open(&r, TCP_HAS_MSS);
	second = r.conn;
	assert_int_equal(tcp_send(second, BYTES("hello")), 0);
	r.ready = 0;
	r.port--;
	rig_send_at(&r, RIG_ISN + 1, first->snd_nxt, TCP_ACK, NULL);
	rig_serve(&r);
	assert_ptr_equal(r.conn, second);
	assert_true(r.ready & TCP_READY_WRITABLE);
	assert_int_equal(tcp_send(second, BYTES("hello")), 5);
	rig_fini(&r);
}

static void empty_packet_pool_only_delays(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	r.w.pool_empty = true;
	rig_write(&r, "250 ok\r\n");
	rig_wait(&r, 5000000);
	assert_int_equal(r.count, 0);
	r.w.pool_empty = false;
	rig_wait(&r, 60000000);
	assert_true(r.count > 0);
	assert_int_equal(rig_last_len(&r), 8);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_window_closes_and_probes_are_answered),
		cmocka_unit_test(reopening_is_told_at_once_and_not_in_driblets),
		cmocka_unit_test(ack_and_fin_are_heard_while_the_window_is_shut),
		cmocka_unit_test(smaller_window_never_takes_back_what_was_offered),
		cmocka_unit_test(larger_window_is_told_at_once),
		cmocka_unit_test(tiny_segments_never_keep_a_scaled_window_open),
		cmocka_unit_test(sends_no_more_than_the_window),
		cmocka_unit_test(shut_window_is_probed_ever_more_rarely_until_it_opens),
		cmocka_unit_test(accepted_probe_octet_is_not_sent_again),
		cmocka_unit_test(answered_probes_go_on_and_unanswered_ones_end_the_connection),
		cmocka_unit_test(window_that_shrinks_under_data_in_flight_is_survived),
		cmocka_unit_test(small_offer_is_used_only_after_a_while),
		cmocka_unit_test(one_octet_segments_pin_no_more_than_their_share),
		cmocka_unit_test(scattered_octets_are_bounded_in_ranges_and_memory),
		cmocka_unit_test(nearer_range_takes_the_place_of_the_furthest),
		cmocka_unit_test(memory_of_the_stack_is_bounded_and_acknowledged_data_stays),
		cmocka_unit_test(send_memory_is_shared_and_the_starved_are_woken),
		cmocka_unit_test(empty_packet_pool_only_delays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
