#include "dataplane/net/net_mock.h"
#include "dataplane/port/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PEER4   "192.0.2.1"
#define PEER6   "2001:db8::1"
#define ROUTER4 "198.51.100.9"
#define ROUTER6 "2001:db8:9::9"
#define FAR4    "203.0.113.5"
#define FAR6    "2001:db8:5::5"

static const uint8_t peer_mac[6] = MOCK_PEER;
static struct mock *const m = &mock_shared;

static int set_up(void **state)
{
	struct neigh_news news = {peer_mac, true, true, true};
	struct ip_addr peer4 = mock_addr(PEER4), peer6 = mock_addr(PEER6);

	mock_set_up(state);
	neigh_learn(&m->net->neigh, &peer4, &news, m->now_us);
	neigh_learn(&m->net->neigh, &peer6, &news, m->now_us);
	return 0;
}

static void echo_frame(struct frame *f, bool v6, size_t data_len)
{
	uint8_t echo[1480] = {v6 ? 128 : 8, 0, 0, 0, 0x12, 0x34, 0, 7};

	for (size_t i = 0; i < data_len; i++)
		echo[8 + i] = (uint8_t)(i * 7);
	frame_packet(f, v6 ? PEER6 : PEER4, v6 ? MOCK_OUR6 : MOCK_OUR4,
		v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP, echo, 8 + data_len);
}

static void expect_echo_reply(const struct frame *request, const struct frame *reply, bool v6)
{
	unsigned at = ETH_HEADER_LEN + (v6 ? IP6_HEADER_LEN : IP4_HEADER_LEN);
	struct ip_addr us = mock_addr(v6 ? MOCK_OUR6 : MOCK_OUR4);
	struct ip_addr peer = mock_addr(v6 ? PEER6 : PEER4);
	size_t len = request->len - at;
	uint64_t sum = v6 ? checksum_pseudo(&us, &peer, IP_PROTO_ICMP6, (uint16_t)len) : 0;

	assert_int_equal(reply->len, request->len);
	assert_memory_equal(reply->data, peer_mac, 6);
	assert_int_equal(reply->data[at], v6 ? 129 : 0);
	assert_memory_equal(reply->data + at + 4, request->data + at + 4, len - 4);
	assert_int_equal(checksum_finish(checksum_add(sum, reply->data + at, len)), 0);
	if (!v6)
		assert_int_equal(checksum(reply->data + ETH_HEADER_LEN, IP4_HEADER_LEN), 0);
}

static void answers_echo_requests_of_every_length(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (size_t len = 0; len <= 1440; len += 37) {
			struct frame request, reply;

			echo_frame(&request, v6, len);
			assert_int_equal(mock_input(m, &request), NET_CONSUMED);
			assert_true(mock_sent(m, &reply));
			expect_echo_reply(&request, &reply, v6);
		}
	}
}

static void answers_no_echo_with_a_wrong_checksum(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct frame f;

		echo_frame(&f, v6, 32);
		f.data[f.len - 1] ^= 0x40;
		mock_input(m, &f);
		assert_int_equal(mock_count(m, NET_ICMP_BAD), v6 + 1);
		assert_false(mock_sent(m, &f));
	}
}

static void answers_no_echo_to_a_group(void **state)
{
	uint8_t echo[8] = {128};
	struct frame f;

	(void)state;
	frame_packet(&f, PEER6, "ff02::1", IP_PROTO_ICMP6, echo, sizeof(echo));
	mock_input(m, &f);
	assert_int_equal(mock_count(m, NET_ICMP_IGNORED), 1);
	assert_false(mock_sent(m, &f));
}

static void answers_only_so_many_echoes_a_second(void **state)
{
	unsigned answered = 0;
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < NET_ECHO_BURST + 500; i++) {
		echo_frame(&f, false, 8);
		mock_input(m, &f);
		answered += mock_sent(m, &f);
	}
	assert_int_equal(answered, NET_ECHO_BURST);
	assert_int_equal(mock_count(m, NET_LIMIT_ECHO), 500);
}

/* An error that quotes `quoted_len` octets of a segment of ours to FAR, sequence 0x01020304. */
static void error_frame(
	struct frame *f, bool v6, uint8_t type, uint8_t code, uint32_t rest, size_t quoted_len)
{
	const uint8_t tcp[20] = {0, 25, 0x9c, 0x40, 1, 2, 3, 4};
	struct frame quoted = {.len = 0};
	uint8_t error[256] = {type, code};

	if (v6)
		frame_ip6(&quoted, MOCK_OUR6, FAR6, IP_PROTO_TCP, 1440);
	else
		frame_ip4(&quoted, MOCK_OUR4, FAR4, IP_PROTO_TCP, 1480);
	frame_put(&quoted, tcp, sizeof(tcp));
	wire_put32(error + 4, rest);
	memcpy(error + 8, quoted.data, quoted_len);
	frame_packet(f, v6 ? ROUTER6 : ROUTER4, v6 ? MOCK_OUR6 : MOCK_OUR4,
		v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP, error, 8 + quoted_len);
}

static const struct {
	bool v6;
	uint8_t type, code;
	enum net_icmp_kind kind;
} errors[] = {
	{false, 3, 0, NET_ICMP_UNREACHABLE},
	{false, 3, 1, NET_ICMP_UNREACHABLE},
	{false, 3, 2, NET_ICMP_PORT_UNREACHABLE},
	{false, 3, 3, NET_ICMP_PORT_UNREACHABLE},
	{false, 3, 5, NET_ICMP_UNREACHABLE},
	{false, 3, 9, NET_ICMP_PORT_UNREACHABLE},
	{false, 3, 10, NET_ICMP_PORT_UNREACHABLE},
	{false, 3, 13, NET_ICMP_PORT_UNREACHABLE},
	{false, 11, 0, NET_ICMP_UNREACHABLE},
	{false, 12, 0, NET_ICMP_UNREACHABLE},
	{true, 1, 0, NET_ICMP_UNREACHABLE},
	{true, 1, 1, NET_ICMP_PORT_UNREACHABLE},
	{true, 1, 3, NET_ICMP_UNREACHABLE},
	{true, 1, 4, NET_ICMP_PORT_UNREACHABLE},
	{true, 3, 0, NET_ICMP_UNREACHABLE},
	{true, 4, 1, NET_ICMP_UNREACHABLE},
};

static void hands_errors_about_our_segments_to_tcp(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		bool v6 = errors[i].v6;
		struct ip_addr us = mock_addr(v6 ? MOCK_OUR6 : MOCK_OUR4);
		struct ip_addr far = mock_addr(v6 ? FAR6 : FAR4);
		struct net_segment seg;
		struct net_icmp icmp;
		struct frame f;

		error_frame(&f, v6, errors[i].type, errors[i].code, 0,
			(v6 ? IP6_HEADER_LEN : IP4_HEADER_LEN) + 8);
		assert_int_equal(mock_input_out(m, &f, &seg, &icmp), NET_ICMP);
		assert_int_equal(icmp.kind, errors[i].kind);
		assert_true(ip_addr_eq(&icmp.local, &us) && ip_addr_eq(&icmp.peer, &far));
		assert_int_equal(icmp.local_port, 25);
		assert_int_equal(icmp.peer_port, 40000);
		assert_int_equal(icmp.seq, 0x01020304);
	}
}

static void tells_the_mtu_of_a_path(void **state)
{
	static const struct {
		bool v6;
		uint32_t said, meant; /* 0: not to be believed */
	} cases[] = {
		{false, 1400, 1400},
		{false, 0, 1492},
		{false, 68, 68},
		{false, 67, 0},
		{false, 1500, 0},
		{false, 9000, 0},
		{true, 1400, 1400},
		{true, 1280, 1280},
		{true, 1279, 0},
		{true, 0, 0},
		{true, 1480, 0},
		{true, UINT32_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct net_segment seg;
		struct net_icmp icmp;
		struct frame f;
		enum net_verdict verdict;

		error_frame(&f, cases[i].v6, cases[i].v6 ? 2 : 3, cases[i].v6 ? 0 : 4,
			cases[i].said, 48);
		verdict = mock_input_out(m, &f, &seg, &icmp);
		assert_int_equal(verdict, cases[i].meant ? NET_ICMP : NET_CONSUMED);
		if (cases[i].meant) {
			assert_int_equal(icmp.kind, NET_ICMP_TOO_BIG);
			assert_int_equal(icmp.mtu, cases[i].meant);
		}
	}
}

static void ignores_errors_that_quote_too_little(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		size_t least = (v6 ? IP6_HEADER_LEN : IP4_HEADER_LEN) + 8;
		struct frame f;

		for (size_t len = 0; len < least; len++) {
			error_frame(&f, v6, v6 ? 1 : 3, v6 ? 4 : 3, 0, len);
			assert_int_equal(mock_input(m, &f), NET_CONSUMED);
		}
	}
	assert_int_equal(mock_count(m, NET_ICMP_QUOTE), IP4_HEADER_LEN + IP6_HEADER_LEN + 16);
}

/* Change one octet of what is quoted, with the checksum put right. */
static void requote(struct frame *f, unsigned at, uint8_t value)
{
	uint8_t *icmp = f->data + ETH_HEADER_LEN + IP4_HEADER_LEN;

	icmp[8 + at] = value;
	checksum_store(icmp + ICMP_CHECKSUM_AT, 0);
	checksum_store(
		icmp + ICMP_CHECKSUM_AT, checksum(icmp, f->len - ETH_HEADER_LEN - IP4_HEADER_LEN));
}

static void ignores_errors_about_what_we_never_sent(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
	} cases[] = {{0, 0x65}, {0, 0x44}, {0, 0x4f}, {7, 1}, {9, 17}, {15, 77}};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		error_frame(&f, false, 3, 3, 0, 28);
		requote(&f, cases[i].at, cases[i].value);
		assert_int_equal(mock_input(m, &f), NET_CONSUMED);
		assert_int_equal(mock_count(m, NET_ICMP_QUOTE), i + 1);
	}
}

static void hands_over_only_so_many_errors_a_second(void **state)
{
	struct frame f;

	(void)state;
	error_frame(&f, false, 3, 3, 0, 28);
	for (unsigned i = 0; i < NET_ERROR_BURST; i++)
		assert_int_equal(mock_input(m, &f), NET_ICMP);
	assert_int_equal(mock_input(m, &f), NET_CONSUMED);
	m->now_us += 1000000 / NET_ERROR_PER_S;
	assert_int_equal(mock_input(m, &f), NET_ICMP);
}

static void ignores_other_types(void **state)
{
	static const uint8_t types4[] = {0, 4, 5, 9, 10, 13, 17, 255};
	static const uint8_t types6[] = {0, 100, 127, 129, 131, 143, 255};
	uint8_t message[8] = {0};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(types4); i++) {
		message[0] = types4[i];
		frame_packet(&f, PEER4, MOCK_OUR4, IP_PROTO_ICMP, message, sizeof(message));
		mock_input(m, &f);
	}
	for (size_t i = 0; i < sizeof(types6); i++) {
		message[0] = types6[i];
		frame_packet(&f, PEER6, MOCK_OUR6, IP_PROTO_ICMP6, message, sizeof(message));
		mock_input(m, &f);
	}
	assert_int_equal(mock_count(m, NET_ICMP_IGNORED), sizeof(types4) + sizeof(types6));
	assert_false(mock_sent(m, &f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, mock_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answers_echo_requests_of_every_length),
		TEST(answers_no_echo_with_a_wrong_checksum),
		TEST(answers_no_echo_to_a_group),
		TEST(answers_only_so_many_echoes_a_second),
		TEST(hands_errors_about_our_segments_to_tcp),
		TEST(tells_the_mtu_of_a_path),
		TEST(ignores_errors_that_quote_too_little),
		TEST(ignores_errors_about_what_we_never_sent),
		TEST(hands_over_only_so_many_errors_a_second),
		TEST(ignores_other_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
