/* What the path carries: narrowed by ICMP and by silence, tried in full again; and who can be
 * opened to at all. */
#include "dataplane/tcp/tcp_path_priv.h"
#include "dataplane/tcp/tcp_rig.h"

#include <errno.h>

#define MSS     1000u
#define SECOND  1000000u
#define OCTETS  20000u
#define MTU     800u
#define STEP    50000u
#define PATIENT 2000u /* steps in which a few time-outs pass */

static uint8_t data[OCTETS];

static void begin(struct rig *r, uint32_t octets)
{
	rig_init(r, NULL, 4096);
	rig_open(r, TCP_HAS_MSS);
	assert_int_equal(tcp_send(r->conn, bytes_of(data, octets)), octets);
	tcp_flush(r->stack, r->w.now_us);
}

static void too_big(struct rig *r, uint32_t mtu)
{
	struct net_icmp icmp = {.kind = NET_ICMP_TOO_BIG,
		.mtu = mtu,
		.local = r->w.nets[1].addr,
		.peer = r->w.nets[0].addr,
		.local_port = RIG_PORT,
		.peer_port = r->port,
		.seq = r->rcv};

	tcp_icmp(r->stack, &icmp, r->w.now_us);
	tcp_flush(r->stack, r->w.now_us);
}

static void wait_for_timeouts(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < PATIENT && rig_counted(r, TCP_N_TIMEOUTS) < n; i++)
		rig_wait(r, STEP);
	assert_true(rig_counted(r, TCP_N_TIMEOUTS) >= n);
}

static void acknowledge_all(struct rig *r)
{
	rig_send_at(r, r->snd, r->conn->snd_nxt, TCP_ACK, NULL);
}

static void full_segments_are_tried_again_after_ten_minutes(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 2 * MSS);
	too_big(&r, MTU);
	acknowledge_all(&r);
	rig_wait(&r, (TCP_PATH_RAISE_S - 1) * (uint64_t)SECOND);
	rig_forget(&r);
	tcp_send(r.conn, bytes_of(data, MSS));
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(r.sent_len[0], MTU - 40);
	acknowledge_all(&r);
	rig_wait(&r, 2 * SECOND);
	rig_forget(&r);
	tcp_send(r.conn, bytes_of(data, MSS));
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(r.sent_len[0], MSS);
	assert_int_equal(rig_counted(&r, TCP_N_PATH_RAISED), 1);
	rig_fini(&r);
}

static void full_segments_that_vanish_become_smaller(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 10 * MSS);
	wait_for_timeouts(&r, 1);
	assert_int_equal(r.conn->snd_mss, MSS);
	wait_for_timeouts(&r, 2);
	assert_int_equal(r.conn->snd_mss, 512);
	assert_int_equal(rig_last_len(&r), 512);
	assert_int_equal(rig_counted(&r, TCP_N_PATH_BLACK_HOLES), 1);
	rig_send_at(&r, r.snd, r.rcv + 512, TCP_ACK, NULL);
	assert_int_equal(rig_last_len(&r), 512);
	assert_int_equal(r.conn->snd_una, r.rcv + 512);
	rig_fini(&r);
}

static void small_segments_that_vanish_stay_as_they_are(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 100);
	wait_for_timeouts(&r, 4);
	assert_int_equal(r.conn->snd_mss, MSS);
	assert_int_equal(rig_counted(&r, TCP_N_PATH_BLACK_HOLES), 0);
	rig_fini(&r);
}

static void icmp_does_not_raise(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, 2 * MSS);
	too_big(&r, MTU);
	too_big(&r, 9000);
	assert_int_equal(r.conn->snd_mss, MTU - 40);
	rig_fini(&r);
}

static void opening_to_nowhere_fails_at_once(void **state)
{
	struct tcp_conn *conn = NULL;
	struct ip_addr v6 = {{0x20, 0x01, 0x0d, 0xb8}};
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	r.w.nets[1].cannot_open = -ENETUNREACH;
	assert_int_equal(
		tcp_connect(r.stack, &r.w.nets[0].addr, 25, 4096, r.w.now_us, &conn), -ENETUNREACH);
	r.w.nets[1].cannot_open = 0;
	assert_int_equal(
		tcp_connect(r.stack, &r.w.nets[0].addr, 0, 4096, r.w.now_us, &conn), -EINVAL);
	assert_int_equal(
		tcp_connect_from(r.stack, &r.w.nets[1].addr, &v6, 25, 4096, r.w.now_us, &conn),
		-ENETUNREACH);
	assert_null(conn);
	assert_int_equal(r.count, 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_segments_are_tried_again_after_ten_minutes),
		cmocka_unit_test(full_segments_that_vanish_become_smaller),
		cmocka_unit_test(small_segments_that_vanish_stay_as_they_are),
		cmocka_unit_test(icmp_does_not_raise),
		cmocka_unit_test(opening_to_nowhere_fails_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
