#include "dataplane/net/net_mock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PEER4 "192.0.2.1"

static const uint8_t our_mac[6] = MOCK_MAC, peer_mac[6] = MOCK_PEER;
static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static struct mock *const m = &mock_shared;

static void send_to(const char *peer)
{
	struct net_route route = {.local = mock_addr(MOCK_OUR4), .peer = mock_addr(peer)};

	net_output(m->net, mock_packet(m, 0, TCP_HEADER_LEN), &route, m->now_us);
}

static bool knows(const char *peer)
{
	struct ip_addr addr = mock_addr(peer);

	return neigh_find(&m->net->neigh, &addr);
}

/* An ARP frame as sent: addresses at their places. */
static void expect_arp(const struct frame *f, const uint8_t *dst, uint8_t operation,
	const char *sender, const char *target)
{
	struct ip_addr from = mock_addr(sender), to = mock_addr(target);
	const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, operation};

	assert_int_equal(f->len, 42);
	assert_memory_equal(f->data, dst, 6);
	assert_memory_equal(f->data + 6, our_mac, 6);
	assert_int_equal(wire_get16(f->data + 12), ETH_TYPE_ARP);
	assert_memory_equal(f->data + 14, head, 8);
	assert_memory_equal(f->data + 22, our_mac, 6);
	assert_memory_equal(f->data + 28, from.octets + 12, 4);
	assert_memory_equal(f->data + 38, to.octets + 12, 4);
}

static void answers_a_request_and_knows_the_asker(void **state)
{
	struct frame f;

	(void)state;
	frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
	frame_put(&f, "eighteen of padding", 18);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	expect_arp(&f, peer_mac, 2, MOCK_OUR4, PEER4);
	assert_memory_equal(f.data + 32, peer_mac, 6);

	send_to(PEER4); /* no question needed */
	assert_true(mock_sent(m, &f));
	assert_int_equal(wire_get16(f.data + 12), ETH_TYPE_IP4);
	assert_memory_equal(f.data, peer_mac, 6);
	assert_false(mock_sent(m, &f));
}

static void answers_a_probe_without_learning_from_it(void **state)
{
	struct frame f;

	(void)state;
	frame_arp(&f, 1, peer_mac, "0.0.0.0", MOCK_OUR4);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	expect_arp(&f, peer_mac, 2, MOCK_OUR4, "0.0.0.0");
	assert_false(knows("0.0.0.0"));
}

static void answers_but_does_not_keep_an_asker_off_the_link(void **state)
{
	struct frame f;

	(void)state;
	frame_arp(&f, 1, peer_mac, "198.51.100.1", MOCK_OUR4);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	assert_false(knows("198.51.100.1"));
}

static void is_silent_about_addresses_of_others(void **state)
{
	struct frame f;

	(void)state;
	frame_arp(&f, 1, peer_mac, PEER4, "192.0.2.77");
	mock_input(m, &f);
	assert_false(mock_sent(m, &f));
	assert_false(knows(PEER4));
	assert_int_equal(mock_count(m, NET_ARP_OTHER), 1);
}

static void asks_for_a_neighbour_and_sends_when_it_answers(void **state)
{
	struct frame f;

	(void)state;
	send_to(PEER4);
	assert_true(mock_sent(m, &f));
	expect_arp(&f, all, 1, MOCK_OUR4, PEER4);
	assert_false(mock_sent(m, &f));
	frame_arp(&f, 2, peer_mac, PEER4, MOCK_OUR4);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	assert_memory_equal(f.data, peer_mac, 6);
	assert_int_equal(f.data[ETH_HEADER_LEN] >> 4, 4);
}

static void asks_the_gateway_for_peers_off_the_link(void **state)
{
	struct frame f;

	(void)state;
	send_to("198.51.100.7");
	assert_true(mock_sent(m, &f));
	expect_arp(&f, all, 1, MOCK_OUR4, "192.0.2.254");
}

static void defends_its_address_but_not_without_end(void **state)
{
	struct frame f;
	unsigned defences = 0;

	(void)state;
	frame_arp(&f, 2, peer_mac, MOCK_OUR4, PEER4);
	mock_input(m, &f);
	assert_true(mock_sent(m, &f));
	expect_arp(&f, all, 1, MOCK_OUR4, MOCK_OUR4);
	for (unsigned i = 0; i < 3000; i++) {
		frame_arp(&f, 2, peer_mac, MOCK_OUR4, PEER4);
		mock_input(m, &f);
		defences += mock_sent(m, &f);
	}
	assert_int_equal(defences, NET_ANSWER_BURST - 1);
	assert_int_equal(mock_count(m, NET_ADDRESS_CONFLICT), 3001);
}

static void drops_malformed_packets(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
	} spoilt[] = {{15, 2}, {16, 9}, {18, 8}, {19, 16}, {21, 3}, {21, 0}, {22, 0xff}};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
		f.data[spoilt[i].at] = spoilt[i].value;
		mock_input(m, &f);
	}
	frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
	memset(f.data + 22, 0, 6); /* no MAC */
	mock_input(m, &f);
	frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
	f.len--;
	mock_input(m, &f);
	assert_int_equal(mock_count(m, NET_ARP_BAD), 9);
	assert_false(mock_sent(m, &f));
	assert_false(knows(PEER4));
}

static void answers_only_so_many_a_second(void **state)
{
	unsigned answered = 0;
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
		mock_input(m, &f);
		answered += mock_sent(m, &f);
	}
	assert_int_equal(answered, NET_ANSWER_BURST);
	assert_int_equal(mock_count(m, NET_LIMIT_ANSWER), 2000 - answered);
	m->now_us += 10000;
	for (unsigned i = 0; i < 100; i++) {
		frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
		mock_input(m, &f);
		answered += mock_sent(m, &f);
	}
	assert_int_equal(answered, NET_ANSWER_BURST + NET_ANSWER_PER_S / 100);
}

static void strangers_cannot_spend_the_questions_for_the_gateway(void **state)
{
	char peer[] = "192.0.2.xxx";
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(peer, sizeof(peer), "192.0.2.%u", 3 + i % 200);
		send_to(peer);
		m->now_us++;
	}
	assert_in_range(mock_count(m, NET_SOLICITS), 1, NET_SOLICIT_BURST + 1);
	assert_true(mock_count(m, NET_LIMIT_SOLICIT) > 0);
	while (mock_sent(m, &f))
		;
	send_to("198.51.100.7");
	assert_true(mock_sent(m, &f));
	expect_arp(&f, all, 1, MOCK_OUR4, "192.0.2.254");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_set_up, mock_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answers_a_request_and_knows_the_asker),
		TEST(answers_a_probe_without_learning_from_it),
		TEST(answers_but_does_not_keep_an_asker_off_the_link),
		TEST(is_silent_about_addresses_of_others),
		TEST(asks_for_a_neighbour_and_sends_when_it_answers),
		TEST(asks_the_gateway_for_peers_off_the_link),
		TEST(defends_its_address_but_not_without_end),
		TEST(drops_malformed_packets),
		TEST(answers_only_so_many_a_second),
		TEST(strangers_cannot_spend_the_questions_for_the_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
