/* The rules of RFC 9293 §3.10.7 one by one, and the attacks of RFC 5961. */
#include "dataplane/tcp/tcp_rig.h"
#include "dataplane/tcp/tcp_timer_priv.h"

#include <errno.h>

/* --- CLOSED --- */

static void closed_port_answers_syn_with_rst(void **state)
{
	struct tcp_header h = {.dst_port = 26, .seq = 77, .flags = TCP_SYN};
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_send_header(&r, &h, NULL, 0);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->flags, TCP_RST | TCP_ACK);
	assert_int_equal(rig_last(&r)->seq, 0);
	assert_int_equal(rig_last(&r)->ack, 78);
	rig_fini(&r);
}

static void closed_port_answers_ack_with_rst_at_that_number(void **state)
{
	struct tcp_header h = {.dst_port = 26, .seq = 77, .ack = 999, .flags = TCP_ACK};
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_send_header(&r, &h, "abc", 3);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->flags, TCP_RST);
	assert_int_equal(rig_last(&r)->seq, 999);
	rig_fini(&r);
}

static void rst_is_never_answered(void **state)
{
	static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_RST | TCP_SYN};
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct tcp_header closed = {.dst_port = 26, .flags = flags[i]};
		struct tcp_header listening = {.flags = flags[i]};

		rig_send_header(&r, &closed, NULL, 0);
		rig_send_header(&r, &listening, NULL, 0);
	}
	assert_int_equal(r.count, 0);
	rig_fini(&r);
}

/* --- LISTEN --- */

static void next_number_is_set_only_where_the_configuration_says_so(void **state)
{
	struct tcp_config config = mock_config();
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	assert_int_equal(tcp_set_next_isn(r.stack, 0xfffffff0), -EPERM);
	rig_fini(&r);
	config.scripted = true;
	rig_init(&r, &config, 4096);
	assert_int_equal(tcp_set_next_isn(r.stack, 0xfffffff0), 0);
	rig_syn(&r, 0);
	assert_int_equal(rig_last(&r)->seq, 0xfffffff0);
	rig_fini(&r);
}

static void listen_answers_ack_with_rst(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_send_at(&r, 5, 6, TCP_ACK, NULL);
	assert_int_equal(rig_last(&r)->flags, TCP_RST);
	assert_int_equal(rig_last(&r)->seq, 6);
	rig_fini(&r);
}

static void listen_ignores_what_nobody_means(void **state)
{
	static const uint8_t flags[] = {0, TCP_FIN, TCP_SYN | TCP_FIN, TCP_PSH | TCP_URG | TCP_FIN};
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	for (size_t i = 0; i < sizeof(flags); i++)
		rig_send_at(&r, 5, 0, flags[i], NULL);
	assert_int_equal(r.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_FLAGS), 4);
	assert_int_equal(r.stack->table.count, 0);
	rig_fini(&r);
}

static void syn_ack_has_only_what_the_syn_offered(void **state)
{
	const uint8_t all = TCP_HAS_MSS | TCP_HAS_TS | TCP_HAS_WSCALE | TCP_HAS_SACK_OK;
	struct rig r;

	(void)state;
	for (unsigned has = 0; has <= all; has++) {
		rig_init(&r, NULL, 4096);
		rig_syn(&r, (uint8_t)has);
		assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK);
		assert_int_equal(rig_last(&r)->ack, RIG_ISN + 1);
		assert_int_equal(rig_last(&r)->has, has | TCP_HAS_MSS);
		assert_int_equal(rig_last(&r)->window, 4096);
		rig_fini(&r);
	}
}

static void syn_on_a_port_no_longer_listened_to_is_refused(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	tcp_unlisten(r.stack, RIG_PORT);
	rig_syn(&r, 0);
	assert_int_equal(rig_last(&r)->flags, TCP_RST | TCP_ACK);
	rig_fini(&r);
}

/* --- SYN-RECEIVED --- */

static void repeated_syn_gets_the_same_syn_ack(void **state)
{
	struct rig r;
	uint32_t iss;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_syn(&r, TCP_HAS_MSS);
	iss = rig_last(&r)->seq;
	rig_syn(&r, TCP_HAS_MSS);
	assert_int_equal(r.count, 2);
	assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_last(&r)->seq, iss);
	assert_int_equal(r.stack->half_open, 1);
	rig_fini(&r);
}

static void syn_ack_is_repeated_and_given_up(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_syn(&r, 0);
	rig_wait(&r, 100000000);
	assert_int_equal(r.count, 1 + TCP_SYN_RECEIVED_TRIES);
	assert_int_equal(r.stack->table.count, 0);
	assert_int_equal(r.stack->half_open, 0);
	rig_fini(&r);
}

static void new_syn_in_the_window_returns_to_listen(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_syn(&r, 0);
	rig_send_at(&r, RIG_ISN + 100, 0, TCP_SYN, NULL);
	assert_int_equal(r.stack->table.count, 0);
	rig_send_at(&r, RIG_ISN + 100, 0, TCP_SYN, NULL);
	assert_int_equal(rig_last(&r)->ack, RIG_ISN + 101);
	rig_fini(&r);
}

static void wrong_ack_in_the_handshake_gets_rst(void **state)
{
	struct rig r;
	uint32_t iss;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_syn(&r, 0);
	iss = rig_last(&r)->seq;
	rig_send_at(&r, RIG_ISN + 1, iss + 2, TCP_ACK, NULL);
	assert_int_equal(rig_last(&r)->flags, TCP_RST);
	assert_int_equal(rig_last(&r)->seq, iss + 2);
	rig_send_at(&r, RIG_ISN + 1, iss + 1, TCP_ACK, NULL);
	rig_serve(&r);
	assert_non_null(r.conn);
	rig_fini(&r);
}

static void rst_in_the_handshake_frees_the_entry(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_syn(&r, 0);
	rig_send_at(&r, RIG_ISN + 1, 0, TCP_RST, NULL);
	assert_int_equal(r.stack->table.count, 0);
	assert_int_equal(r.stack->half_open, 0);
	rig_fini(&r);
}

static void data_on_the_third_ack_is_taken(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_syn(&r, 0);
	rig_send_at(&r, RIG_ISN + 1, rig_last(&r)->seq + 1, TCP_ACK | TCP_PSH, "EHLO x\r\n");
	rig_serve(&r);
	assert_int_equal(r.ready, TCP_READY_OPENED | TCP_READY_READABLE);
	rig_expect_text(&r, "EHLO x\r\n");
	rig_fini(&r);
}

/* --- RST, RFC 5961 §3 --- */

static void rst_at_the_next_number_resets(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd, 0, TCP_RST, NULL);
	rig_serve(&r);
	assert_true(r.ready & TCP_READY_FAILED);
	assert_int_equal(tcp_error(r.conn), TCP_FAIL_RESET);
	assert_int_equal(r.count, 0);
	rig_fini(&r);
}

static void sends_challenge_ack_for_in_window_rst(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd + 1, 0, TCP_RST, NULL);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->flags, TCP_ACK);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	assert_int_equal(r.conn->state, TCP_ESTABLISHED);
	rig_fini(&r);
}

static void rst_outside_the_window_is_dropped_in_silence(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd - 1, 0, TCP_RST, NULL);
	rig_send_at(&r, r.snd + 4096, 0, TCP_RST, NULL);
	rig_send_at(&r, r.snd + 1000000, 0, TCP_RST, NULL);
	assert_int_equal(r.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_RST_SEQUENCE), 3);
	assert_int_equal(r.conn->state, TCP_ESTABLISHED);
	rig_fini(&r);
}

/* --- SYN, RFC 5961 §4 --- */

static void syn_on_an_open_connection_gets_a_challenge_ack(void **state)
{
	static const int32_t offsets[] = {-1000, -1, 0, 1, 5000, 100000};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		rig_init(&r, NULL, 4096);
		rig_open(&r, 0);
		rig_send_at(&r, r.snd + (uint32_t)offsets[i], r.rcv, TCP_SYN, NULL);
		assert_int_equal(r.count, 1);
		assert_int_equal(rig_last(&r)->flags, TCP_ACK);
		assert_int_equal(rig_last(&r)->seq, r.rcv);
		assert_int_equal(rig_last(&r)->ack, r.snd);
		assert_int_equal(r.conn->state, TCP_ESTABLISHED);
		rig_fini(&r);
	}
}

static void challenge_acks_are_limited_per_connection_and_second(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	for (int i = 0; i < 100; i++)
		rig_send_at(&r, r.snd + 1, 0, TCP_RST, NULL);
	assert_int_equal(r.count, 5);
	assert_int_equal(rig_counted(&r, TCP_N_CHALLENGE_LIMITED), 95);
	rig_wait(&r, 1000000);
	rig_send_at(&r, r.snd + 1, 0, TCP_RST, NULL);
	assert_int_equal(r.count, 6);
	rig_fini(&r);
}

/* --- ACK, RFC 5961 §5 --- */

static void ack_of_what_was_never_sent_is_answered_and_dropped(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd, r.rcv + 1, TCP_ACK, "data");
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	assert_int_equal(r.conn->rcv_unread, 0);
	rig_fini(&r);
}

static void ack_of_what_is_long_past_is_answered_and_dropped(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd, r.rcv - 65536, TCP_ACK, "data");
	assert_int_equal(r.count, 1);
	assert_int_equal(r.conn->rcv_unread, 0);
	rig_send_at(&r, r.snd, r.rcv - 65535, TCP_ACK, "data");
	assert_int_equal(r.conn->rcv_unread, 4);
	rig_fini(&r);
}

static void segment_without_ack_is_dropped(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd, 0, TCP_PSH, "data");
	assert_int_equal(r.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_NO_ACK), 1);
	assert_int_equal(r.conn->rcv_unread, 0);
	rig_fini(&r);
}

/* --- sequence and PAWS --- */

static void data_outside_the_window_is_acknowledged_and_dropped(void **state)
{
	static const int32_t offsets[] = {-100, -4, 4097, 100000};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		rig_init(&r, NULL, 4096);
		rig_open(&r, 0);
		rig_send_at(&r, r.snd + (uint32_t)offsets[i], r.rcv, TCP_ACK, "data");
		assert_int_equal(r.count, 1);
		assert_int_equal(rig_last(&r)->ack, r.snd);
		assert_int_equal(r.conn->rcv_unread, 0);
		assert_null(r.conn->reasm);
		rig_fini(&r);
	}
}

static void keepalive_of_the_peer_is_answered(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd - 1, r.rcv, TCP_ACK, NULL);
	assert_int_equal(r.count, 1);
	rig_send_at(&r, r.snd - 1, r.rcv, TCP_ACK, "x");
	assert_int_equal(r.count, 2);
	rig_fini(&r);
}

static void send_with_timestamp(struct rig *r, uint32_t seq, uint32_t ts, const char *text)
{
	struct tcp_header h = {.seq = seq,
		.ack = r->rcv,
		.flags = TCP_ACK,
		.window = 65535,
		.has = TCP_HAS_TS,
		.ts_val = ts};

	rig_send_header(r, &h, text, (uint32_t)strlen(text));
}

static void paws_drops_an_older_timestamp(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_TS);
	send_with_timestamp(&r, r.snd, 100 + 50, "abc");
	send_with_timestamp(&r, r.snd + 3, 100 + 49, "old");
	assert_int_equal(rig_counted(&r, TCP_N_DROP_PAWS), 1);
	assert_int_equal(rig_last(&r)->ack, r.snd + 3);
	assert_int_equal(rig_last(&r)->ts_ecr, 150);
	send_with_timestamp(&r, r.snd + 3, 100 + 50, "new");
	rig_expect_text(&r, "abcnew");
	rig_fini(&r);
}

static void paws_forgets_after_24_days(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_TS);
	rig_wait(&r, UINT64_C(25) * 86400 * 1000000);
	send_with_timestamp(&r, r.snd, 99, "abc");
	rig_expect_text(&r, "abc");
	rig_fini(&r);
}

/* --- text --- */

static void out_of_order_data_gets_a_duplicate_ack_with_sack_at_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_SACK_OK);
	rig_send_at(&r, r.snd + 3, r.rcv, TCP_ACK, "def");
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	assert_int_equal(rig_last(&r)->sack_count, 1);
	assert_int_equal(rig_last(&r)->sack[0].start, r.snd + 3);
	assert_int_equal(rig_last(&r)->sack[0].end, r.snd + 6);
	rig_send_at(&r, r.snd + 9, r.rcv, TCP_ACK, "jkl");
	assert_int_equal(rig_last(&r)->sack_count, 2);
	assert_int_equal(rig_last(&r)->sack[0].start, r.snd + 9);
	rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "abc");
	assert_int_equal(r.count, 3);
	assert_int_equal(rig_last(&r)->ack, r.snd + 6);
	rig_send_at(&r, r.snd + 6, r.rcv, TCP_ACK, "ghi");
	assert_int_equal(rig_last(&r)->ack, r.snd + 12);
	assert_int_equal(rig_last(&r)->sack_count, 0);
	rig_expect_text(&r, "abcdefghijkl");
	rig_fini(&r);
}

static void duplicate_data_is_reported(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_SACK_OK);
	rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "abcdef");
	rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "abc");
	assert_int_equal(rig_last(&r)->ack, r.snd + 6);
	assert_int_equal(rig_last(&r)->sack_count, 1);
	assert_int_equal(rig_last(&r)->sack[0].start, r.snd);
	assert_int_equal(rig_last(&r)->sack[0].end, r.snd + 3);
	rig_fini(&r);
}

static void overlapping_segments_are_joined(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "abc");
	rig_send_at(&r, r.snd + 8, r.rcv, TCP_ACK, "ij");
	rig_send_at(&r, r.snd + 5, r.rcv, TCP_ACK, "fg");
	rig_send_at(&r, r.snd + 1, r.rcv, TCP_ACK, "bcdefghijkl");
	rig_expect_text(&r, "abcdefghijkl");
	rig_fini(&r);
}

static void fin_waits_for_the_data_before_it(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd + 3, r.rcv, TCP_ACK | TCP_FIN, "def");
	rig_serve(&r);
	assert_int_equal(r.conn->state, TCP_ESTABLISHED);
	assert_false(r.ready & TCP_READY_PEER_SHUT);
	rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "abc");
	rig_serve(&r);
	assert_int_equal(r.conn->state, TCP_CLOSE_WAIT);
	assert_int_equal(rig_last(&r)->ack, r.snd + 7);
	assert_true(r.ready & TCP_READY_PEER_SHUT);
	rig_expect_text(&r, "abcdef");
	rig_fini(&r);
}

static void data_behind_the_fin_is_dropped(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send_at(&r, r.snd + 3, r.rcv, TCP_ACK | TCP_FIN, "def");
	rig_send_at(&r, r.snd + 6, r.rcv, TCP_ACK, "evil");
	rig_send_at(&r, r.snd, r.rcv, TCP_ACK, "abcdefevil");
	rig_expect_text(&r, "abcdef");
	rig_send_at(&r, r.snd + 7, r.rcv, TCP_ACK, "late");
	assert_int_equal(r.conn->rcv_unread, 0);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_AFTER_FIN), 3);
	rig_fini(&r);
}

static void urgent_data_is_data(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send(&r, TCP_ACK | TCP_URG | TCP_PSH, "abc");
	rig_expect_text(&r, "abc");
	rig_fini(&r);
}

/* --- ACKs of ours --- */

static void lone_segment_is_acknowledged_within_the_delay(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send(&r, TCP_ACK, "NOOP\r\n");
	assert_int_equal(r.count, 0);
	rig_wait(&r, 39000);
	assert_int_equal(r.count, 0);
	rig_wait(&r, 3000);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	rig_wait(&r, 1000000);
	assert_int_equal(r.count, 1);
	rig_fini(&r);
}

static void ack_rides_on_the_reply(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_send(&r, TCP_ACK, "NOOP\r\n");
	rig_expect_text(&r, "NOOP\r\n");
	rig_write(&r, "250 2.0.0 Ok\r\n");
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	assert_int_equal(rig_last(&r)->flags, TCP_ACK | TCP_PSH);
	assert_int_equal(rig_last_len(&r), 14);
	r.rcv += 14;
	rig_send(&r, TCP_ACK, NULL);
	rig_serve(&r);
	assert_true(r.ready & TCP_READY_SENT);
	rig_wait(&r, 1000000);
	assert_int_equal(r.count, 1);
	rig_fini(&r);
}

static void second_full_segment_is_acknowledged_at_once(void **state)
{
	char text[1001];
	struct rig r;

	(void)state;
	memset(text, 'x', 1000);
	text[1000] = '\0';
	rig_init(&r, NULL, 65535);
	rig_open(&r, 0);
	rig_send(&r, TCP_ACK, text);
	assert_int_equal(r.count, 0);
	rig_send(&r, TCP_ACK, text);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last(&r)->ack, r.snd);
	rig_fini(&r);
}

static void several_writes_leave_as_one_segment(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	tcp_send(r.conn, BYTES("250-one\r\n"));
	tcp_send(r.conn, BYTES("250-two\r\n"));
	tcp_send(r.conn, BYTES("250 three\r\n"));
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(r.count, 1);
	assert_int_equal(rig_last_len(&r), 29);
	rig_fini(&r);
}

/* --- names --- */

static void land_and_port_zero_are_dropped(void **state)
{
	struct tcp_header h = {.seq = 1, .flags = TCP_SYN};
	struct net_segment seg;
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	r.port = 0;
	rig_send_header(&r, &h, NULL, 0);
	h.src_port = h.dst_port = RIG_PORT;
	seg = (struct net_segment){.src = r.w.nets[1].addr, .dst = r.w.nets[1].addr};
	tcp_input(r.stack, mock_packet(&r.w, 1, &h, NULL, 0), &seg, r.w.now_us);
	assert_int_equal(r.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_PORT_ZERO), 2);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_port_answers_syn_with_rst),
		cmocka_unit_test(closed_port_answers_ack_with_rst_at_that_number),
		cmocka_unit_test(rst_is_never_answered),
		cmocka_unit_test(next_number_is_set_only_where_the_configuration_says_so),
		cmocka_unit_test(listen_answers_ack_with_rst),
		cmocka_unit_test(listen_ignores_what_nobody_means),
		cmocka_unit_test(syn_ack_has_only_what_the_syn_offered),
		cmocka_unit_test(syn_on_a_port_no_longer_listened_to_is_refused),
		cmocka_unit_test(repeated_syn_gets_the_same_syn_ack),
		cmocka_unit_test(syn_ack_is_repeated_and_given_up),
		cmocka_unit_test(new_syn_in_the_window_returns_to_listen),
		cmocka_unit_test(wrong_ack_in_the_handshake_gets_rst),
		cmocka_unit_test(rst_in_the_handshake_frees_the_entry),
		cmocka_unit_test(data_on_the_third_ack_is_taken),
		cmocka_unit_test(rst_at_the_next_number_resets),
		cmocka_unit_test(sends_challenge_ack_for_in_window_rst),
		cmocka_unit_test(rst_outside_the_window_is_dropped_in_silence),
		cmocka_unit_test(syn_on_an_open_connection_gets_a_challenge_ack),
		cmocka_unit_test(challenge_acks_are_limited_per_connection_and_second),
		cmocka_unit_test(ack_of_what_was_never_sent_is_answered_and_dropped),
		cmocka_unit_test(ack_of_what_is_long_past_is_answered_and_dropped),
		cmocka_unit_test(segment_without_ack_is_dropped),
		cmocka_unit_test(data_outside_the_window_is_acknowledged_and_dropped),
		cmocka_unit_test(keepalive_of_the_peer_is_answered),
		cmocka_unit_test(paws_drops_an_older_timestamp),
		cmocka_unit_test(paws_forgets_after_24_days),
		cmocka_unit_test(out_of_order_data_gets_a_duplicate_ack_with_sack_at_once),
		cmocka_unit_test(duplicate_data_is_reported),
		cmocka_unit_test(overlapping_segments_are_joined),
		cmocka_unit_test(fin_waits_for_the_data_before_it),
		cmocka_unit_test(data_behind_the_fin_is_dropped),
		cmocka_unit_test(urgent_data_is_data),
		cmocka_unit_test(lone_segment_is_acknowledged_within_the_delay),
		cmocka_unit_test(ack_rides_on_the_reply),
		cmocka_unit_test(second_full_segment_is_acknowledged_at_once),
		cmocka_unit_test(several_writes_leave_as_one_segment),
		cmocka_unit_test(land_and_port_zero_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
