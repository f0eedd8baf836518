/* SYN floods, cookies and forged ICMP. */
#include "dataplane/tcp/tcp_cookie_priv.h"
#include "dataplane/tcp/tcp_rig.h"
#include "dataplane/tcp/tcp_timer_priv.h"

#define ALL (TCP_HAS_MSS | TCP_HAS_TS | TCP_HAS_WSCALE | TCP_HAS_SACK_OK)

/* SYNs from ports of nobody until cookies answer. */
static void flood(struct rig *r, unsigned n)
{
	uint16_t port = r->port;

	for (unsigned i = 0; i < n; i++) {
		r->port = (uint16_t)(1 + i % 30000);
		rig_syn(r, ALL);
	}
	r->port = port;
	rig_forget(r);
}

static void above_the_limit_no_memory_is_held(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	flood(&r, 20000);
	assert_int_equal(r.stack->half_open, 64);
	assert_int_equal(r.stack->conns.in_use, 64);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_ENGAGED), 1);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_SENT), 20000 - 64);
	rig_fini(&r);
}

static void cookie_carries_the_options(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned has = 0; has <= ALL; has++) {
		rig_init(&r, NULL, 4096);
		flood(&r, 100);
		rig_open(&r, (uint8_t)has);
		assert_int_equal(rig_counted(&r, TCP_N_COOKIES_ACCEPTED), 1);
		assert_int_equal(r.conn->snd_mss, 536);
		assert_int_equal(tcp_conn_has(r.conn, TCP_F_TS), (has & TCP_HAS_TS) ? true : false);
		if (has & TCP_HAS_TS) {
			assert_int_equal(tcp_conn_has(r.conn, TCP_F_SACK),
				(has & TCP_HAS_SACK_OK) ? true : false);
			assert_int_equal(r.conn->snd_wscale, (has & TCP_HAS_WSCALE) ? 2 : 0);
		}
		rig_send(&r, TCP_ACK, "EHLO x\r\n");
		rig_expect_text(&r, "EHLO x\r\n");
		rig_fini(&r);
	}
}

/* All SYN-ACKs are due again in the same tick. */
static void a_crowd_of_timers_is_run_in_several_rounds(void **state)
{
	struct tcp_config c = mock_config();
	struct rig r;
	uint64_t before, first;

	(void)state;
	c.max_half_open = TCP_TIMERS_AT_ONCE + 100;
	c.max_connections = c.max_half_open;
	rig_init(&r, &c, 4096);
	flood(&r, c.max_half_open);
	assert_int_equal(r.stack->half_open, c.max_half_open);
	before = rig_counted(&r, TCP_N_TX);
	r.w.now_us += 1100000;
	assert_int_equal(tcp_timers(r.stack, r.w.now_us), 0);
	first = rig_counted(&r, TCP_N_TX) - before;
	assert_in_range(first, 0, TCP_TIMERS_AT_ONCE);
	assert_true(rig_counted(&r, TCP_N_TIMERS_PUT_OFF) > 0);
	for (unsigned n = 0; n < 20 && tcp_timers(r.stack, r.w.now_us) == 0; n++)
		;
	assert_int_equal(rig_counted(&r, TCP_N_TX) - before, c.max_half_open);
	rig_fini(&r);
}

static void forged_cookie_gets_rst(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	flood(&r, 100);
	for (uint32_t i = 0; i < 1000; i++)
		rig_send_at(&r, 1, i * 4000037, TCP_ACK, NULL);
	assert_int_equal(rig_last(&r)->flags, TCP_RST);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_ACCEPTED), 0);
	rig_fini(&r);
}

static void old_cookie_is_not_taken(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	flood(&r, 100);
	rig_syn(&r, 0);
	r.rcv = rig_last(&r)->seq + 1;
	rig_wait(&r, 140000000);
	rig_send_at(&r, RIG_ISN + 1, r.rcv, TCP_ACK, NULL);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_ACCEPTED), 0);
	rig_fini(&r);
}

/* The server speaks first: a client whose third ACK is lost waits for it and says nothing. */
static void lost_third_ack_under_cookies_does_not_hang(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	flood(&r, 70);
	rig_syn(&r, ALL);
	r.rcv = rig_last(&r)->seq + 1;
	rig_forget(&r);
	rig_wait(&r, 1100000);
	while (r.count > 0 && rig_last(&r)->dst_port != r.port) /* others are reminded too */
		r.count--;
	assert_int_equal(rig_last(&r)->flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_last(&r)->seq, r.rcv - 1);
	r.snd = RIG_ISN + 1;
	rig_send(&r, TCP_ACK, NULL); /* what a SYN-ACK makes an open client say again */
	rig_serve(&r);
	assert_non_null(r.conn);
	rig_forget(&r);
	rig_write(&r, "220 hi\r\n");
	assert_int_equal(rig_last_len(&r), 8);
	rig_fini(&r);
}

static void data_behind_a_lost_segment_waits_for_its_cookie(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	flood(&r, 100);
	rig_syn(&r, 0);
	r.rcv = rig_last(&r)->seq + 1;
	rig_forget(&r);
	rig_send_at(&r, RIG_ISN + 4, r.rcv, TCP_ACK, "def");
	assert_int_equal(r.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_STALE_COOKIE), 1);
	rig_send_at(&r, RIG_ISN + 1, r.rcv, TCP_ACK, "abc");
	rig_serve(&r);
	rig_expect_text(&r, "abc");
	rig_fini(&r);
}

/* A flood of replies would push out what open connections have to say. */
static void cookies_yield_where_the_device_takes_no_more(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	flood(&r, 100);
	r.w.nets[1].crowded = true;
	rig_syn(&r, ALL);
	assert_int_equal(r.count, 0);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_UNSENT), 1);
	r.w.nets[1].crowded = false;
	rig_open(&r, ALL);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_ACCEPTED), 1);
	rig_fini(&r);
}

static void cookies_end_with_the_flood_and_not_before(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	for (int second = 0; second < 100; second++) {
		flood(&r, 500);
		rig_wait(&r, 1000000);
	}
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_ENGAGED), 1);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_RELEASED), 0);
	rig_wait(&r, 100000000);
	rig_syn(&r, 0);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_RELEASED), 1);
	assert_int_equal(r.stack->half_open, 1);
	rig_fini(&r);
}

static void reminders_are_bounded(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	flood(&r, 10064);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_UNREMINDED), 10000 - 64);
	rig_wait(&r, 10000000);
	assert_int_equal(rig_counted(&r, TCP_N_COOKIES_REMINDED), 64 * 3);
	rig_fini(&r);
}

static void full_table_ignores_syns(void **state)
{
	struct tcp_config c = mock_config();
	struct rig r;

	(void)state;
	c.max_connections = 32;
	rig_init(&r, &c, 4096);
	flood(&r, 40);
	assert_int_equal(r.stack->conns.in_use, 32);
	assert_int_equal(rig_counted(&r, TCP_N_DROP_CONNECTIONS_FULL), 8);
	rig_fini(&r);
}

/* --- the cookie itself --- */

static void cookie_is_bound_to_everything(void **state)
{
	uint8_t secret[16] = {9};
	struct tcp_tuple t = {.local = ip_addr_v4(1), .peer = ip_addr_v4(2), .local_port = 25};
	struct tcp_cookie offer = {.mss = 1440, .has_ts = true, .has_sack = true}, out = offer;
	uint64_t now = UINT64_C(1) << 40;
	struct tcp_isn isn;
	uint32_t iss;

	(void)state;
	tcp_isn_init(&isn, secret);
	iss = tcp_cookie_make(&isn, &t, 7, &offer, now);
	assert_true(tcp_cookie_check(&isn, &t, 7, iss, 0x2f, now, &out));
	assert_int_equal(out.mss, 1440);
	assert_false(tcp_cookie_check(&isn, &t, 8, iss, 0, now, &out));
	assert_false(tcp_cookie_check(&isn, &t, 7, iss + 1, 0, now, &out));
	assert_false(tcp_cookie_check(&isn, &t, 7, iss ^ 1u << 24, 0, now, &out));
	assert_false(tcp_cookie_check(&isn, &t, 7, iss, 0, now + (UINT64_C(2) << 26), &out));
	assert_false(tcp_cookie_check(&isn, &t, 7, iss, 0, now + (UINT64_C(32) << 26), &out));
	t.peer_port++;
	assert_false(tcp_cookie_check(&isn, &t, 7, iss, 0, now, &out));
}

static void cookie_timestamp_never_runs_ahead(void **state)
{
	(void)state;
	for (uint32_t now = 0xffffff00; now != 0x200; now++)
		for (unsigned scale = 0; scale < 15; scale++) {
			struct tcp_cookie offer = {.has_wscale = true, .wscale = (uint8_t)scale};
			uint32_t ts = tcp_cookie_timestamp(&offer, now);

			assert_true((int32_t)(now - ts) >= 0 && now - ts < 128);
			assert_int_equal(ts & 15, scale);
		}
}

/* --- ICMP --- */

static struct net_icmp icmp_for(const struct rig *r, enum net_icmp_kind kind, uint32_t seq)
{
	return (struct net_icmp){.kind = kind,
		.local = r->conn->tuple.local,
		.peer = r->conn->tuple.peer,
		.local_port = r->conn->tuple.local_port,
		.peer_port = r->conn->tuple.peer_port,
		.seq = seq,
		.mtu = 800};
}

static void too_big_is_believed_only_for_a_segment_in_flight(void **state)
{
	static uint8_t big[2000];
	struct net_icmp icmp;
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, TCP_HAS_MSS);
	tcp_send(r.conn, bytes_of(big, sizeof(big)));
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(r.sent_len[0], 1000);
	icmp = icmp_for(&r, NET_ICMP_TOO_BIG, r.rcv - 1);
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	icmp.seq = r.rcv + 2000;
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	assert_int_equal(rig_counted(&r, TCP_N_ICMP_FORGED), 2);
	assert_int_equal(r.conn->snd_mss, 1000);
	rig_forget(&r);
	icmp.seq = r.rcv;
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	tcp_flush(r.stack, r.w.now_us);
	assert_int_equal(r.conn->snd_mss, 760);
	assert_int_equal(r.sent[0].seq, r.rcv);
	assert_int_equal(r.sent_len[0], 760);
	icmp.mtu = 68;
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	assert_int_equal(r.conn->snd_mss, 512);
	rig_fini(&r);
}

static void unreachable_ends_no_open_connection(void **state)
{
	struct net_icmp icmp;
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	rig_open(&r, 0);
	rig_write(&r, "220 hi\r\n");
	icmp = icmp_for(&r, NET_ICMP_PORT_UNREACHABLE, r.rcv);
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	assert_int_equal(r.conn->state, TCP_ESTABLISHED);
	assert_int_equal(rig_counted(&r, TCP_N_ICMP_SOFT), 1);
	icmp.local_port++;
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	assert_int_equal(rig_counted(&r, TCP_N_ICMP_UNKNOWN), 1);
	rig_fini(&r);
}

static void port_unreachable_refuses_an_open(void **state)
{
	struct net_icmp icmp;
	struct rig r;

	(void)state;
	rig_init(&r, NULL, 4096);
	assert_int_equal(tcp_connect(r.stack, &r.w.nets[0].addr, 25, 4096, r.w.now_us, &r.conn), 0);
	icmp = icmp_for(&r, NET_ICMP_UNREACHABLE, rig_last(&r)->seq);
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	assert_int_equal(r.conn->state, TCP_SYN_SENT);
	icmp.kind = NET_ICMP_PORT_UNREACHABLE;
	tcp_icmp(r.stack, &icmp, r.w.now_us);
	rig_serve(&r);
	assert_int_equal(tcp_error(r.conn), TCP_FAIL_REFUSED);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(above_the_limit_no_memory_is_held),
		cmocka_unit_test(cookie_carries_the_options),
		cmocka_unit_test(a_crowd_of_timers_is_run_in_several_rounds),
		cmocka_unit_test(forged_cookie_gets_rst),
		cmocka_unit_test(old_cookie_is_not_taken),
		cmocka_unit_test(lost_third_ack_under_cookies_does_not_hang),
		cmocka_unit_test(data_behind_a_lost_segment_waits_for_its_cookie),
		cmocka_unit_test(cookies_yield_where_the_device_takes_no_more),
		cmocka_unit_test(cookies_end_with_the_flood_and_not_before),
		cmocka_unit_test(reminders_are_bounded),
		cmocka_unit_test(full_table_ignores_syns),
		cmocka_unit_test(cookie_is_bound_to_everything),
		cmocka_unit_test(cookie_timestamp_never_runs_ahead),
		cmocka_unit_test(too_big_is_believed_only_for_a_segment_in_flight),
		cmocka_unit_test(unreachable_ends_no_open_connection),
		cmocka_unit_test(port_unreachable_refuses_an_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
