#include "dataplane/net/net_mock.h"
#include "dataplane/port/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PEER6      "2001:db8::1"
#define OUR_GROUP  "ff02::1:ff00:2" /* solicited-node of MOCK_OUR6 */
#define PEER_GROUP "ff02::1:ff00:1"

enum { SOLICITATION = 135, ADVERTISEMENT = 136, SOLICITED = 0x40, OVERRIDE = 0x20 };

static const uint8_t our_mac[6] = MOCK_MAC, peer_mac[6] = MOCK_PEER;
static struct mock *const m = &mock_shared;

/* A message about `target` with the link-layer address option, or without where it is 0. */
static void message(struct frame *f, const char *src, const char *dst, uint8_t type, uint8_t flags,
	const char *target, uint8_t option)
{
	struct ip_addr about = mock_addr(target);
	uint8_t nd[32] = {type, [4] = flags, [24] = option, 1};

	memcpy(nd + 8, about.octets, 16);
	memcpy(nd + 26, peer_mac, 6);
	frame_packet(f, src, dst, IP_PROTO_ICMP6, nd, option ? 32 : 24);
}

static bool knows(const char *peer)
{
	struct ip_addr addr = mock_addr(peer);

	return neigh_find(&m->net->neigh, &addr);
}

static void expect_message(const struct frame *f, const uint8_t *mac, const char *dst, uint8_t type,
	uint8_t flags, const char *target, uint8_t option)
{
	const uint8_t *nd = f->data + ETH_HEADER_LEN + IP6_HEADER_LEN;
	const struct ip6_header *ip = (const void *)(f->data + ETH_HEADER_LEN);
	struct ip_addr src = mock_addr(MOCK_OUR6), to = mock_addr(dst), about = mock_addr(target);
	uint64_t sum = checksum_pseudo(&src, &to, IP_PROTO_ICMP6, 32);

	assert_int_equal(f->len, ETH_HEADER_LEN + IP6_HEADER_LEN + 32);
	assert_memory_equal(f->data, mac, 6);
	assert_memory_equal(ip->src, src.octets, 16);
	assert_memory_equal(ip->dst, to.octets, 16);
	assert_int_equal(ip->hop_limit, 255);
	assert_int_equal(nd[0], type);
	assert_int_equal(nd[4], flags);
	assert_memory_equal(nd + 8, about.octets, 16);
	assert_int_equal(nd[24], option);
	assert_int_equal(nd[25], 1);
	assert_memory_equal(nd + 26, our_mac, 6);
	assert_int_equal(checksum_finish(checksum_add(sum, nd, 32)), 0);
}

static void answers_a_solicitation_and_knows_the_asker(void **state)
{
	struct frame f;

	(void)state;
	message(&f, PEER6, OUR_GROUP, SOLICITATION, 0, MOCK_OUR6, 1);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	expect_message(&f, peer_mac, PEER6, ADVERTISEMENT, SOLICITED | OVERRIDE, MOCK_OUR6, 2);
	assert_true(knows(PEER6));
	assert_false(mock_sent(m, &f));
}

static void answers_a_unicast_solicitation_without_option(void **state)
{
	struct frame f;

	(void)state;
	message(&f, "fe80::1", MOCK_OUR6, SOLICITATION, 0, MOCK_OUR6, 0);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	expect_message(&f, peer_mac, "fe80::1", ADVERTISEMENT, SOLICITED | OVERRIDE, MOCK_OUR6, 2);
	assert_false(knows("fe80::1"));
}

static void defends_its_address_against_duplicate_detection(void **state)
{
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	struct frame f;

	(void)state;
	message(&f, "::", OUR_GROUP, SOLICITATION, 0, MOCK_OUR6, 0);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	expect_message(&f, all_nodes_mac, "ff02::1", ADVERTISEMENT, OVERRIDE, MOCK_OUR6, 2);
	assert_int_equal(mock_count(m, NET_ADDRESS_CONFLICT), 1);
}

static void ignores_what_may_have_crossed_a_router(void **state)
{
	struct frame f;

	(void)state;
	message(&f, PEER6, OUR_GROUP, SOLICITATION, 0, MOCK_OUR6, 1);
	f.data[ETH_HEADER_LEN + 7] = 254;
	mock_input(m, &f);
	assert_int_equal(mock_count(m, NET_ND_BAD), 1);
	assert_false(mock_sent(m, &f));
	assert_false(knows(PEER6));
}

static void ignores_malformed_messages(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t type, flags;
		const char *target;
		uint8_t option;
	} cases[] = {
		{"::", OUR_GROUP, SOLICITATION, 0, MOCK_OUR6, 1},       /* option from nobody */
		{"::", MOCK_OUR6, SOLICITATION, 0, MOCK_OUR6, 0},       /* not to the group */
		{PEER6, OUR_GROUP, SOLICITATION, 0, "ff02::1", 1},      /* group as target */
		{PEER6, "ff02::1", ADVERTISEMENT, SOLICITED, PEER6, 2}, /* answer to all */
		{"::", "ff02::1", ADVERTISEMENT, OVERRIDE, PEER6, 2},
	};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		message(&f, cases[i].src, cases[i].dst, cases[i].type, cases[i].flags,
			cases[i].target, cases[i].option);
		mock_input(m, &f);
		assert_int_equal(mock_count(m, NET_ND_BAD), i + 1);
	}
	assert_false(mock_sent(m, &f));
}

static void ignores_options_without_or_over_their_length(void **state)
{
	static const uint8_t lengths[] = {0, 2, 255};
	struct ip_addr target = mock_addr(MOCK_OUR6);
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < sizeof(lengths); i++) {
		uint8_t nd[32] = {SOLICITATION, [24] = 1, lengths[i]};

		memcpy(nd + 8, target.octets, 16);
		frame_packet(&f, PEER6, OUR_GROUP, IP_PROTO_ICMP6, nd, sizeof(nd));
		mock_input(m, &f);
	}
	for (size_t len = 8; len < 24; len++) {
		uint8_t nd[24] = {SOLICITATION};

		frame_packet(&f, PEER6, OUR_GROUP, IP_PROTO_ICMP6, nd, len);
		mock_input(m, &f);
	}
	assert_int_equal(mock_count(m, NET_ND_BAD), sizeof(lengths) + 16);
	assert_false(mock_sent(m, &f));
}

static void asks_the_group_and_sends_when_advertised(void **state)
{
	static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0, 0, 1};
	struct net_route route = {.local = mock_addr(MOCK_OUR6), .peer = mock_addr(PEER6)};
	struct frame f;

	(void)state;
	net_output(m->net, mock_packet(m, 0, TCP_HEADER_LEN), &route, m->now_us);
	assert_true(mock_sent(m, &f));
	expect_message(&f, group_mac, PEER_GROUP, SOLICITATION, 0, PEER6, 1);
	assert_false(mock_sent(m, &f));
	message(&f, PEER6, MOCK_OUR6, ADVERTISEMENT, SOLICITED | OVERRIDE, PEER6, 2);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	assert_memory_equal(f.data, peer_mac, 6);
	assert_int_equal(f.data[ETH_HEADER_LEN + 6], IP_PROTO_TCP);
}

static void asks_the_gateway_for_peers_off_the_link(void **state)
{
	static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0, 2, 0x54};
	struct net_route route = {
		.local = mock_addr(MOCK_OUR6), .peer = mock_addr("2001:db8:1::1")};
	struct frame f;

	(void)state;
	net_output(m->net, mock_packet(m, 0, TCP_HEADER_LEN), &route, m->now_us);
	assert_true(mock_sent(m, &f));
	expect_message(&f, group_mac, "ff02::1:ff00:254", SOLICITATION, 0, "fe80::254", 1);
}

static void counts_another_station_with_our_address(void **state)
{
	struct frame f;

	(void)state;
	message(&f, PEER6, "ff02::1", ADVERTISEMENT, OVERRIDE, MOCK_OUR6, 2);
	mock_input(m, &f);
	assert_int_equal(mock_count(m, NET_ADDRESS_CONFLICT), 1);
}

static void heeds_no_router_that_advertises_itself(void **state)
{
	uint8_t ra[16] = {134};
	struct frame f;

	(void)state;
	frame_packet(&f, "fe80::bad", "ff02::1", IP_PROTO_ICMP6, ra, sizeof(ra));
	mock_input(m, &f);
	assert_int_equal(mock_count(m, NET_ND_BAD), 1); /* shorter than any message of interest */
	assert_false(mock_sent(m, &f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_set_up, mock_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answers_a_solicitation_and_knows_the_asker),
		TEST(answers_a_unicast_solicitation_without_option),
		TEST(defends_its_address_against_duplicate_detection),
		TEST(ignores_what_may_have_crossed_a_router),
		TEST(ignores_malformed_messages),
		TEST(ignores_options_without_or_over_their_length),
		TEST(asks_the_group_and_sends_when_advertised),
		TEST(asks_the_gateway_for_peers_off_the_link),
		TEST(counts_another_station_with_our_address),
		TEST(heeds_no_router_that_advertises_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
