/* Time-outs that came too early are undone, true ones are not. */
#include "dataplane/tcp/tcp_rig.h"

#define MSS 988u /* 1000 less the timestamp */

static uint8_t data[100 * MSS];

/* Ten segments have left and run into a time-out. */
static void begin(struct rig *r, uint8_t has)
{
	rig_init(r, NULL, 4096);
	rig_open(r, has | TCP_HAS_MSS);
	assert_int_equal(tcp_send(r->conn, bytes_of(data, sizeof(data))), sizeof(data));
	tcp_flush(r->stack, r->w.now_us);
	while (rig_counted(r, TCP_N_TIMEOUTS) == 0)
		rig_wait(r, 1000);
}

/* The peer acknowledges n segments, the clock it echoes being that of what was sent as number i. */
static void ack(struct rig *r, unsigned segments, unsigned i)
{
	struct tcp_header h = {.seq = r->snd,
		.ack = r->rcv + segments * MSS,
		.flags = TCP_ACK,
		.window = 65535,
		.has = TCP_HAS_TS,
		.ts_val = r->ts,
		.ts_ecr = r->sent[i].ts_val};

	rig_send_header(r, &h, NULL, 0);
}

static void late_ack_undoes_the_time_out(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_TS | TCP_HAS_SACK_OK);
	assert_int_equal(r.conn->loss.cwnd, MSS);
	ack(&r, 1, 0);
	assert_int_equal(rig_counted(&r, TCP_N_TIMEOUTS_UNDONE), 1);
	assert_int_equal(r.conn->loss.phase, TCP_LOSS_OPEN);
	assert_true(r.conn->loss.cwnd >= 10 * MSS);
	rig_forget(&r);
	ack(&r, 5, 0);
	for (unsigned i = 0; i < r.count; i++)
		assert_true((int32_t)(r.sent[i].seq - (r.rcv + 10 * MSS)) >= 0); /* nothing again */
	rig_fini(&r);
}

static void ack_of_the_repetition_undoes_nothing(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, TCP_HAS_TS | TCP_HAS_SACK_OK);
	ack(&r, 1, r.count - 1);
	assert_int_equal(rig_counted(&r, TCP_N_TIMEOUTS_UNDONE), 0);
	assert_int_equal(r.conn->loss.phase, TCP_LOSS_TIMEOUT);
	ack(&r, 2, 0); /* the verdict falls with the first ACK */
	assert_int_equal(rig_counted(&r, TCP_N_TIMEOUTS_UNDONE), 0);
	rig_fini(&r);
}

static void without_timestamps_nothing_is_undone(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 0);
	rig_send_at(&r, r.snd, r.rcv + 1000, TCP_ACK, NULL);
	assert_int_equal(rig_counted(&r, TCP_N_TIMEOUTS_UNDONE), 0);
	assert_int_equal(r.conn->loss.phase, TCP_LOSS_TIMEOUT);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_ack_undoes_the_time_out),
		cmocka_unit_test(ack_of_the_repetition_undoes_nothing),
		cmocka_unit_test(without_timestamps_nothing_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
