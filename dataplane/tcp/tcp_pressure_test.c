/* Receive memory that runs short: what is given up, in which order. */
#include "dataplane/tcp/tcp_rig.h"

#define MEMORY  1000000u
#define SEGMENT 1000u
#define LIMIT   2000u /* segments; far more than the memory holds */

/* Ignores windows, as a hostile peer does. */
static void fill_one(struct rig *r)
{
	static char text[SEGMENT + 1];

	memset(text, 'x', SEGMENT);
	rig_send(r, TCP_ACK, text);
	tcp_timers(r->stack, r->w.now_us);
}

static void begin(struct rig *r)
{
	struct tcp_config c = mock_config();

	c.receive_bytes_max = MEMORY;
	rig_init(r, &c, 1u << 20);
	rig_open(r, TCP_HAS_WSCALE);
}

static void steps_come_in_their_order(void **state)
{
	static const enum tcp_pressure order[] = {TCP_PRESSURE_NONE, TCP_PRESSURE_NARROW,
		TCP_PRESSURE_BUSY, TCP_PRESSURE_SHED, TCP_PRESSURE_SHUT};
	unsigned at = 0;
	struct rig r;

	(void)state;
	begin(&r);
	for (unsigned i = 0; i < LIMIT && at + 1 < 5; i++) {
		assert_int_equal(tcp_pressure(r.stack), order[at]);
		fill_one(&r);
		at += tcp_pressure(r.stack) != order[at];
	}
	assert_int_equal(tcp_pressure(r.stack), TCP_PRESSURE_SHUT);
	while (r.conn->rcv_unread > 0) {
		tcp_consume(r.conn, SEGMENT);
		at -= tcp_pressure(r.stack) != order[at];
		assert_int_equal(tcp_pressure(r.stack), order[at]);
	}
	assert_int_equal(at, 0);
	rig_fini(&r);
}

/* The counters tell the same: windows first, SYNs last, and nothing that was acknowledged is lost.
 */
static void windows_shrink_before_syns_are_ignored(void **state)
{
	uint32_t unread;
	struct rig r;

	(void)state;
	begin(&r);
	while (rig_counted(&r, TCP_N_WINDOWS_NARROWED) == 0)
		fill_one(&r);
	assert_true((uint32_t)rig_last(&r)->window << TCP_RCV_WSCALE <= 1u << 20);
	r.port++;
	rig_forget(&r);
	rig_syn(&r, 0);
	assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK); /* not yet */
	r.port--;
	while (tcp_pressure(r.stack) < TCP_PRESSURE_SHUT)
		fill_one(&r);
	r.port += 2;
	rig_forget(&r);
	rig_syn(&r, 0);
	assert_int_equal(r.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_SYN_MEMORY), 1);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_MEMORY), 0);
	unread = r.conn->rcv_unread;
	tcp_consume(r.conn, unread);
	tcp_timers(r.stack, r.w.now_us);
	rig_syn(&r, 0);
	assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_counted(&r, TCP_N_WINDOWS_NARROWED), 1);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_come_in_their_order),
		cmocka_unit_test(windows_shrink_before_syns_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
