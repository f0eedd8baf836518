#include "dataplane/tcp/tcp_isn_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct tcp_tuple tuple(uint16_t local_port, uint16_t peer_port)
{
	return (struct tcp_tuple){.local = ip_addr_v4(0x0a000001),
		.peer = ip_addr_v4(0x0a000002),
		.local_port = local_port,
		.peer_port = peer_port};
}

static void number_moves_with_the_clock_of_four_microseconds(void **state)
{
	uint8_t secret[16] = {1};
	struct tcp_tuple t = tuple(25, 4000);
	struct tcp_isn isn;

	(void)state;
	tcp_isn_init(&isn, secret);
	for (uint64_t now = 0; now < 400000000; now += 40000000)
		assert_int_equal(
			tcp_isn_sequence(&isn, &t, now + 4000) - tcp_isn_sequence(&isn, &t, now),
			1000);
}

static void number_depends_on_every_part_of_the_name_and_on_the_secret(void **state)
{
	uint8_t secret[16] = {1}, other[16] = {2};
	struct tcp_tuple t = tuple(25, 4000), u = t;
	struct tcp_isn isn, isn2;
	uint32_t n;

	(void)state;
	tcp_isn_init(&isn, secret);
	tcp_isn_init(&isn2, other);
	n = tcp_isn_sequence(&isn, &t, 0);
	assert_int_not_equal(n, tcp_isn_sequence(&isn2, &t, 0));
	assert_int_not_equal(n, tcp_isn_timestamp_offset(&isn, &t));
	u.peer_port++;
	assert_int_not_equal(n, tcp_isn_sequence(&isn, &u, 0));
	u = t;
	u.local_port++;
	assert_int_not_equal(n, tcp_isn_sequence(&isn, &u, 0));
	u = t;
	u.peer.octets[15]++;
	assert_int_not_equal(n, tcp_isn_sequence(&isn, &u, 0));
	u = t;
	u.local.octets[15]++;
	assert_int_not_equal(n, tcp_isn_sequence(&isn, &u, 0));
}

static void forced_number_serves_once(void **state)
{
	uint8_t secret[16] = {1};
	struct tcp_tuple t = tuple(25, 4000);
	struct tcp_isn isn;
	uint32_t n;

	(void)state;
	tcp_isn_init(&isn, secret);
	n = tcp_isn_sequence(&isn, &t, 0);
	tcp_isn_force(&isn, n + 1);
	assert_int_equal(tcp_isn_sequence(&isn, &t, 0), n + 1);
	assert_int_equal(tcp_isn_sequence(&isn, &t, 0), n);
}

static void ports_to_one_peer_go_round_without_a_repeat(void **state)
{
	static bool seen[65536];
	uint8_t secret[16] = {1};
	struct tcp_tuple t = tuple(0, 25);
	struct tcp_isn isn;

	(void)state;
	tcp_isn_init(&isn, secret);
	for (uint32_t i = 0; i < TCP_ISN_PORT_COUNT; i++) {
		uint16_t port;

		t.local_port = (uint16_t)i; /* does not matter */
		port = tcp_isn_port(&isn, &t, i);
		assert_true(port >= TCP_ISN_PORT_FIRST);
		assert_false(seen[port]);
		seen[port] = true;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(number_moves_with_the_clock_of_four_microseconds),
		cmocka_unit_test(number_depends_on_every_part_of_the_name_and_on_the_secret),
		cmocka_unit_test(forced_number_serves_once),
		cmocka_unit_test(ports_to_one_peer_go_round_without_a_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
