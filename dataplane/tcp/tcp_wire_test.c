#include "dataplane/tcp/tcp_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (unsigned has = 0; has < 16; has++)
		for (uint8_t sacks = 0; sacks <= 4; sacks++) {
			struct tcp_header h = {.src_port = 25,
				.dst_port = 4000,
				.seq = 0xfedcba98,
				.ack = 0x01234567,
				.window = 0x8001,
				.flags = TCP_ACK | (has & ~TCP_HAS_TS ? TCP_SYN : 0),
				.has = (uint8_t)has,
				.mss = 1460,
				.wscale = 7,
				.ts_val = 0xa1b2c3d4,
				.ts_ecr = 0x11223344,
				.sack_count = has & ~TCP_HAS_TS ? 0 : sacks};
			struct tcp_header out;
			uint8_t buf[TCP_WIRE_HEADER_MAX];
			unsigned len;

			for (unsigned i = 0; i < 4; i++)
				h.sack[i] = (struct tcp_range){100 * i, 100 * i + 50};
			len = tcp_wire_write(buf, &h);
			assert_int_equal(len, tcp_wire_len(&h));
			assert_int_equal(len % 4, 0);
			assert_int_equal(tcp_wire_parse(buf, len, &out), 0);
			assert_int_equal(out.has, has);
			assert_int_equal(out.seq, h.seq);
			assert_int_equal(out.ack, h.ack);
			assert_int_equal(out.window, h.window);
			assert_int_equal(out.flags, h.flags);
			assert_int_equal(out.mss, has & TCP_HAS_MSS ? 1460 : 0);
			assert_int_equal(out.wscale, has & TCP_HAS_WSCALE ? 7 : 0);
			assert_int_equal(out.ts_val, has & TCP_HAS_TS ? 0xa1b2c3d4 : 0);
			assert_false(out.odd_options);
			/* Beside a timestamp three blocks fit. */
			assert_int_equal(out.sack_count,
				(has & TCP_HAS_TS) && h.sack_count > 3 ? 3 : h.sack_count);
		}
}

static void short_and_overlong_headers_are_refused(void **state)
{
	uint8_t buf[60] = {0};
	struct tcp_header h;

	(void)state;
	for (unsigned offset = 0; offset < 16; offset++)
		for (size_t len = 0; len <= sizeof(buf); len++) {
			bool good = offset >= 5 && len >= offset * 4;

			buf[12] = (uint8_t)(offset << 4);
			assert_int_equal(tcp_wire_parse(buf, len, &h) == 0, good);
		}
}

struct option_case {
	const char *what;
	uint8_t octets[16];
	unsigned len;
	uint8_t has;
	bool odd;
};

static void nonsense_in_options_ends_them_and_keeps_those_before(void **state)
{
	static const struct option_case cases[] = {
		{"length 0", {2, 4, 5, 0xb4, 9, 0, 1, 1}, 8, TCP_HAS_MSS, true},
		{"length 1", {3, 1, 2, 4, 5, 0xb4, 0, 0}, 8, 0, true},
		{"beyond the end", {2, 4, 5, 0xb4, 8, 10, 0, 0}, 8, TCP_HAS_MSS, true},
		{"kind alone at the end", {1, 1, 1, 8}, 4, 0, true},
		{"end of options", {0, 2, 4, 5}, 4, 0, false},
		{"wrong length of a known kind", {2, 3, 5, 3, 3, 2, 0, 0}, 8, TCP_HAS_WSCALE,
			false},
		{"unknown kind is stepped over", {99, 4, 1, 2, 4, 2, 0, 0}, 8, TCP_HAS_SACK_OK,
			false},
		{"ragged SACK", {5, 9, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0}, 12, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[60] = {0};
		struct tcp_header h;

		buf[12] = (uint8_t)((20 + cases[i].len) / 4 << 4);
		buf[13] = TCP_SYN;
		memcpy(buf + 20, cases[i].octets, cases[i].len);
		assert_int_equal(tcp_wire_parse(buf, 20 + cases[i].len, &h), 0);
		if (h.has != cases[i].has || h.odd_options != cases[i].odd)
			fail_msg("%s: has %x odd %d", cases[i].what, h.has, h.odd_options);
		assert_int_equal(h.sack_count, 0);
	}
}

static void syn_options_mean_nothing_on_other_segments(void **state)
{
	struct tcp_header h = {.flags = TCP_ACK,
		.has = TCP_HAS_MSS | TCP_HAS_WSCALE | TCP_HAS_SACK_OK | TCP_HAS_TS};
	uint8_t buf[TCP_WIRE_HEADER_MAX];
	unsigned len = tcp_wire_write(buf, &h);

	(void)state;
	assert_int_equal(tcp_wire_parse(buf, len, &h), 0);
	assert_int_equal(h.has, TCP_HAS_TS);
}

static void window_scale_stops_at_14(void **state)
{
	struct tcp_header h = {.flags = TCP_SYN, .has = TCP_HAS_WSCALE, .wscale = 255};
	uint8_t buf[TCP_WIRE_HEADER_MAX];
	unsigned len = tcp_wire_write(buf, &h);

	(void)state;
	assert_int_equal(tcp_wire_parse(buf, len, &h), 0);
	assert_int_equal(h.wscale, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(short_and_overlong_headers_are_refused),
		cmocka_unit_test(nonsense_in_options_ends_them_and_keeps_those_before),
		cmocka_unit_test(syn_options_mean_nothing_on_other_segments),
		cmocka_unit_test(window_scale_stops_at_14),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
