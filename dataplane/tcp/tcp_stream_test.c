/* The stack against itself: whatever the wire does, both streams arrive whole, in order, and end.
 */
#include "dataplane/tcp/tcp_mock_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PORT     25
#define LIMIT_US (1200 * UINT64_C(1000000))
#define CHUNK    3000u

/* One end of a connection that sends `size` octets of a pattern and expects as many. */
struct end {
	struct tcp_conn *conn;
	uint32_t to_send, sent;
	uint32_t to_get, got;
	uint8_t salt_out, salt_in;
	bool opened, peer_shut, shut, closed, failed;
	enum tcp_failure why;
};

struct run {
	struct mock_wire wire;
	struct end ends[2];
};

static uint8_t pattern(uint8_t salt, uint32_t at)
{
	return (uint8_t)(at * 131 + (at >> 8) * 17 + salt);
}

static void push_data(struct end *e)
{
	uint8_t buf[CHUNK];

	while (e->sent < e->to_send) {
		uint32_t n = e->to_send - e->sent < CHUNK ? e->to_send - e->sent : CHUNK;
		uint32_t taken;

		for (uint32_t i = 0; i < n; i++)
			buf[i] = pattern(e->salt_out, e->sent + i);
		taken = tcp_send(e->conn, bytes_of(buf, n));
		e->sent += taken;
		if (taken < n)
			return;
	}
	if (!e->shut)
		tcp_shutdown(e->conn);
	e->shut = true;
}

static void pull_data(struct end *e)
{
	for (;;) {
		struct bytes b = tcp_peek(e->conn);

		if (b.len == 0)
			return;
		for (size_t i = 0; i < b.len; i++)
			if (b.data[i] != pattern(e->salt_in, e->got + (uint32_t)i))
				fail_msg("octet %u differs", e->got + (unsigned)i);
		e->got += (uint32_t)b.len;
		tcp_consume(e->conn, (uint32_t)b.len);
	}
}

static void serve(struct run *r, unsigned side)
{
	struct end *e = &r->ends[side];
	struct tcp_conn *conn;
	unsigned ready;

	while ((conn = tcp_next_ready(r->wire.stacks[side], &ready))) {
		if (!e->conn)
			e->conn = conn;
		assert_ptr_equal(e->conn, conn);
		if (ready & TCP_READY_OPENED)
			e->opened = true;
		if (ready & TCP_READY_FAILED) {
			e->failed = true;
			e->why = tcp_error(conn);
			tcp_release(conn);
			e->conn = NULL;
			return;
		}
		pull_data(e);
		if (ready & TCP_READY_PEER_SHUT)
			e->peer_shut = true;
		if (ready & TCP_READY_CLOSED) {
			e->closed = true;
			tcp_release(conn);
			e->conn = NULL;
			return;
		}
		push_data(e);
	}
}

static void start(struct run *r, uint64_t seed, const struct mock_faults *f, uint32_t a_to_b,
	uint32_t b_to_a, uint32_t window, bool v6)
{
	struct tcp_config config = mock_config();

	memset(r, 0, sizeof(*r));
	mock_wire_init(&r->wire, seed, &config, &config, v6);
	r->wire.faults = *f;
	r->ends[0] = (struct end){.to_send = a_to_b, .to_get = b_to_a, .salt_out = 1, .salt_in = 2};
	r->ends[1] = (struct end){.to_send = b_to_a, .to_get = a_to_b, .salt_out = 2, .salt_in = 1};
	assert_int_equal(tcp_listen(r->wire.stacks[1], PORT, window), 0);
	assert_int_equal(tcp_connect(r->wire.stacks[0], &r->wire.nets[1].addr, PORT, window,
				 r->wire.now_us, &r->ends[0].conn),
		0);
}

static bool done(const struct run *r)
{
	return r->ends[0].closed && r->ends[1].closed;
}

static void check_whole(struct run *r, uint64_t seed)
{
	for (unsigned side = 0; side < 2; side++) {
		struct end *e = &r->ends[side];

		if (!e->closed || e->got != e->to_get || !e->peer_shut) {
			struct tcp_conn *c = mock_only_conn(&r->wire, side);

			print_message(
				"side %u: got %u of %u, state %s, una %u nxt %u wnd %u cwnd %u "
				"phase %u kind %u\n",
				side, e->got, e->to_get, c ? tcp_state_name(c->state) : "-",
				c ? c->snd_una - c->iss : 0, c ? c->snd_nxt - c->iss : 0,
				c ? c->snd_wnd : 0, c ? c->loss.cwnd : 0, c ? c->loss.phase : 0,
				c ? c->rexmit_kind : 0);
			fail_msg("seed %llu: side %u not whole (failed %d, why %d)",
				(unsigned long long)seed, side, e->failed, e->why);
		}
	}
}

static uint64_t finish(struct run *r, uint64_t seed)
{
	uint64_t begin = r->wire.now_us;

	while (!done(r) && r->wire.now_us - begin < LIMIT_US) {
		if (!mock_wire_step(&r->wire, begin + LIMIT_US))
			break;
		serve(r, 0);
		serve(r, 1);
	}
	check_whole(r, seed);
	begin = r->wire.now_us - begin;
	assert_int_equal(r->wire.stacks[0]->receive_held, 0);
	assert_int_equal(r->wire.stacks[1]->receive_held, 0);
	assert_int_equal(r->wire.stacks[0]->send_blocks.in_use, 0);
	assert_int_equal(r->wire.stacks[1]->scoreboards.in_use, 0);
	assert_int_equal(r->wire.stacks[1]->reasms.in_use, 0);
	assert_true(mock_wire_fini(&r->wire));
	return begin;
}

static void delivers_both_streams_on_a_good_wire(void **state)
{
	struct mock_faults f = {.delay_us = 10000};
	struct run r;

	(void)state;
	start(&r, 1, &f, 300000, 200000, 65536, false);
	finish(&r, 1);
	start(&r, 1, &f, 300000, 200000, 65536, true);
	finish(&r, 1);
}

static void delivers_both_streams_over_every_bad_wire(void **state)
{
	static const unsigned rates[] = {0, 10, 50, 150};
	uint64_t seed = 1000;

	(void)state;
	for (unsigned lose = 0; lose < 4; lose++)
		for (unsigned swap = 0; swap < 4; swap++)
			for (unsigned other = 0; other < 3; other++) {
				struct mock_faults f = {.lose = rates[lose],
					.swap = rates[swap],
					.repeat = rates[other],
					.spoil = rates[other],
					.delay_us = 5000 + 20000 * other,
					.jitter_us = other * 3000};
				struct run r;

				seed++;
				start(&r, seed, &f, 60000 + 7 * lose, 30000, 4096u << (2 * other),
					seed & 1);
				finish(&r, seed);
			}
}

struct nth {
	unsigned side, n, seen;
};

static bool drop_nth(void *arg, unsigned side, const struct tcp_header *h, uint32_t len)
{
	struct nth *nth = arg;

	(void)h;
	(void)len;
	return side != nth->side || nth->seen++ != nth->n;
}

static void survives_the_loss_of_any_one_segment(void **state)
{
	struct mock_faults f = {.delay_us = 10000};

	(void)state;
	for (unsigned side = 0; side < 2; side++)
		for (unsigned n = 0;; n++) {
			struct nth nth = {.side = side, .n = n};
			struct run r;
			uint64_t took;

			start(&r, n, &f, 40000, 15000, 16384, false);
			r.wire.filter = drop_nth;
			r.wire.filter_arg = &nth;
			took = finish(&r, n);
			if (took > 5000000)
				fail_msg("loss of segment %u of side %u cost %u ms", n, side,
					(unsigned)(took / 1000));
			if (nth.seen <= n)
				break;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers_both_streams_on_a_good_wire),
		cmocka_unit_test(delivers_both_streams_over_every_bad_wire),
		cmocka_unit_test(survives_the_loss_of_any_one_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
