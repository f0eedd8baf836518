/* Congestion control and recovery, seen from a peer that acknowledges as it pleases. */
#include "dataplane/tcp/tcp_rig.h"
#include "dataplane/tcp/tcp_rtt_priv.h"

#define MSS 1000u

static uint8_t data[200000];

/* Opens and queues n segments; those of the first window have left. */
static void begin(struct rig *r, uint8_t has, unsigned segments)
{
	rig_init(r, NULL, 4096);
	rig_open(r, has | TCP_HAS_MSS);
	assert_int_equal(tcp_send(r->conn, bytes_of(data, segments * MSS)), segments * MSS);
	tcp_flush(r->stack, r->w.now_us);
}

static void ack(struct rig *r, unsigned segments)
{
	rig_send_at(r, r->snd, r->rcv + segments * MSS, TCP_ACK, NULL);
}

/* Segments [from, to) are held beyond the cumulative ACK. */
static void sack(struct rig *r, unsigned segments, unsigned from, unsigned to)
{
	struct tcp_header h = {.seq = r->snd,
		.ack = r->rcv + segments * MSS,
		.flags = TCP_ACK,
		.window = 65535,
		.sack_count = 1,
		.sack = {{r->rcv + from * MSS, r->rcv + to * MSS}}};

	rig_send_header(r, &h, NULL, 0);
}

/* How often segment n was sent since rig_forget(). */
static unsigned times_sent(const struct rig *r, unsigned n)
{
	unsigned times = 0;

	for (unsigned i = 0; i < r->count; i++)
		times += r->sent[i].seq == r->rcv + n * MSS && r->sent_len[i] > 0;
	return times;
}

static void initial_window_is_ten_segments(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0, 50);
	assert_int_equal(r.count, 10);
	rig_fini(&r);
}

static void slow_start_doubles(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0, 100);
	for (unsigned i = 1; i <= 10; i++)
		ack(&r, i);
	assert_int_equal(r.count, 10 + 20);
	rig_fini(&r);
}

static void drained_flight_with_data_waiting_repeats_nothing(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0, 100);
	ack(&r, 10);
	assert_true(r.count > 12);
	ack(&r, 11);
	ack(&r, 12);
	assert_int_equal(rig_counted(&r, TCP_N_RETRANSMITS), 0);
	assert_int_equal(r.conn->loss.phase, TCP_LOSS_OPEN);
	rig_fini(&r);
}

static void idle_connection_grows_no_window(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0, 1);
	for (unsigned i = 1; i <= 50; i++) {
		ack(&r, i);
		tcp_send(r.conn, bytes_of(data, MSS));
		tcp_flush(r.stack, r.w.now_us);
	}
	assert_int_equal(r.conn->loss.cwnd, 10 * MSS);
	rig_fini(&r);
}

static void third_duplicate_ack_starts_fast_retransmit(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0, 50);
	ack(&r, 1);
	rig_forget(&r);
	ack(&r, 1);
	ack(&r, 1);
	assert_int_equal(times_sent(&r, 1), 0);
	ack(&r, 1);
	assert_int_equal(times_sent(&r, 1), 1);
	assert_int_equal(rig_counted(&r, TCP_N_FAST_RECOVERIES), 1);
	rig_fini(&r);
}

static void partial_ack_sends_the_next_hole_at_once(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0, 10);
	for (int i = 0; i < 8; i++)
		ack(&r, 0);
	assert_int_equal(times_sent(&r, 0), 2);
	rig_forget(&r);
	ack(&r, 4);
	assert_int_equal(times_sent(&r, 4), 1);
	rig_forget(&r);
	ack(&r, 10);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.conn->loss.phase, TCP_LOSS_OPEN);
	rig_fini(&r);
}

static void sack_sends_the_holes_only(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_SACK_OK, 10);
	rig_forget(&r);
	sack(&r, 0, 1, 2);
	sack(&r, 0, 3, 5);
	sack(&r, 0, 6, 10);
	assert_int_equal(times_sent(&r, 0), 1);
	assert_int_equal(times_sent(&r, 2), 1);
	assert_int_equal(times_sent(&r, 5), 1);
	assert_int_equal(r.count, 3);
	ack(&r, 10);
	assert_int_equal(tcp_unacked(r.conn), 0);
	rig_fini(&r);
}

static void sack_of_what_was_not_sent_is_ignored(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_SACK_OK, 5);
	sack(&r, 0, 3, 50);
	sack(&r, 0, 0, 2);
	sack(&r, 0, 4, 3);
	assert_null(r.conn->loss.board);
	rig_fini(&r);
}

static void small_window_is_mended_by_time(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_SACK_OK, 2);
	rig_forget(&r);
	sack(&r, 0, 1, 2);
	assert_int_equal(r.count, 0);
	rig_wait(&r, 5000);
	assert_int_equal(times_sent(&r, 0), 1);
	assert_int_equal(rig_counted(&r, TCP_N_TIMEOUTS), 0);
	rig_fini(&r);
}

static void repetition_that_is_lost_goes_again_before_the_time_out(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_SACK_OK, 100);
	rig_forget(&r);
	sack(&r, 0, 1, 10);
	assert_int_equal(times_sent(&r, 0), 1);
	assert_true(times_sent(&r, 12) == 1); /* new data goes on */
	sack(&r, 0, 1, 11);
	sack(&r, 0, 1, 12);
	sack(&r, 0, 1, 13);
	assert_int_equal(times_sent(&r, 0), 2);
	rig_fini(&r);
}

static void lost_tail_is_probed_before_the_time_out(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_SACK_OK, 3);
	rig_wait(&r, 10000);
	ack(&r, 1); /* a round trip of 10 ms */
	rig_forget(&r);
	rig_wait(&r, 60000);
	assert_int_equal(times_sent(&r, 2), 1);
	assert_int_equal(rig_counted(&r, TCP_N_TAIL_PROBES), 1);
	sack(&r, 1, 2, 3);
	rig_wait(&r, 20000);
	assert_int_equal(times_sent(&r, 1), 1);
	ack(&r, 3);
	assert_int_equal(rig_counted(&r, TCP_N_TIMEOUTS), 0);
	rig_fini(&r);
}

static void lone_segment_is_not_probed_while_its_ack_may_be_delayed(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_SACK_OK, 1);
	tcp_send(r.conn, bytes_of(data, MSS / 2)); /* two, yet not two full ones */
	tcp_flush(r.stack, r.w.now_us);
	rig_wait(&r, 199000);
	assert_int_equal(rig_counted(&r, TCP_N_TAIL_PROBES), 0);
	rig_wait(&r, 5000);
	assert_int_equal(rig_counted(&r, TCP_N_TAIL_PROBES), 1);
	assert_int_equal(rig_counted(&r, TCP_N_TIMEOUTS), 0);
	rig_fini(&r);
}

static void time_outs_back_off_and_karn_takes_no_sample(void **state)
{
	uint64_t last = 0, gap = 0;
	uint32_t srtt;
	struct rig r;

	(void)state;
	begin(&r, 0, 1);
	srtt = r.conn->rtt.srtt_us;
	rig_wait(&r, 900000); /* probe and first time-out */
	for (int i = 0; i < 5; i++) {
		unsigned before = r.count;

		while (r.count == before)
			rig_wait(&r, 1000);
		if (i > 1)
			assert_in_range(r.w.now_us - last, gap * 19 / 10, gap * 21 / 10);
		gap = i > 0 ? r.w.now_us - last : 0;
		last = r.w.now_us;
	}
	ack(&r, 1);
	assert_int_equal(r.conn->rtt.srtt_us, srtt);
	rig_fini(&r);
}

static void time_out_starts_again_with_one_segment(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0, 50);
	rig_forget(&r);
	while (rig_counted(&r, TCP_N_TIMEOUTS) == 0)
		rig_wait(&r, 1000);
	assert_int_equal(times_sent(&r, 0), 1);
	assert_int_equal(r.conn->loss.cwnd, MSS);
	rig_forget(&r);
	ack(&r, 1);
	assert_int_equal(r.count, 2);
	ack(&r, 3);
	assert_int_equal(times_sent(&r, 3), 1);
	assert_int_equal(times_sent(&r, 4), 1);
	rig_fini(&r);
}

static void rto_follows_rfc_6298(void **state)
{
	struct tcp_rtt r;

	(void)state;
	tcp_rtt_init(&r);
	assert_int_equal(r.rto_us, 1000000);
	tcp_rtt_sample(&r, 400000);
	assert_int_equal(r.srtt_us, 400000);
	assert_int_equal(r.rttvar_us, 200000);
	assert_int_equal(r.rto_us, 1200000);
	tcp_rtt_backoff(&r);
	assert_int_equal(r.rto_us, 2400000);
	for (int i = 0; i < 20; i++)
		tcp_rtt_backoff(&r);
	assert_int_equal(r.rto_us, TCP_RTO_MAX_US);
	for (int i = 0; i < 200; i++)
		tcp_rtt_sample(&r, 10000);
	assert_in_range(r.srtt_us, 9000, 12000);
	assert_in_range(r.rto_us, TCP_RTO_MIN_US, TCP_RTO_MIN_US + 20000);
	tcp_rtt_sample(&r, 0);
	assert_true(r.srtt_us > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initial_window_is_ten_segments),
		cmocka_unit_test(slow_start_doubles),
		cmocka_unit_test(drained_flight_with_data_waiting_repeats_nothing),
		cmocka_unit_test(idle_connection_grows_no_window),
		cmocka_unit_test(third_duplicate_ack_starts_fast_retransmit),
		cmocka_unit_test(partial_ack_sends_the_next_hole_at_once),
		cmocka_unit_test(sack_sends_the_holes_only),
		cmocka_unit_test(sack_of_what_was_not_sent_is_ignored),
		cmocka_unit_test(small_window_is_mended_by_time),
		cmocka_unit_test(repetition_that_is_lost_goes_again_before_the_time_out),
		cmocka_unit_test(lost_tail_is_probed_before_the_time_out),
		cmocka_unit_test(lone_segment_is_not_probed_while_its_ack_may_be_delayed),
		cmocka_unit_test(time_outs_back_off_and_karn_takes_no_sample),
		cmocka_unit_test(time_out_starts_again_with_one_segment),
		cmocka_unit_test(rto_follows_rfc_6298),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
