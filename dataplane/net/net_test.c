#include "dataplane/net/net_mock.h"
#include "dataplane/port/checksum.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PEER4 "192.0.2.1"
#define PEER6 "2001:db8::1"

static const uint8_t our_mac[6] = MOCK_MAC, peer_mac[6] = MOCK_PEER;
static struct mock m;

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(mock_fini(&m), 0);
	return 0;
}

static void meet_peers(void)
{
	struct neigh_news news = {peer_mac, true, true, true};
	struct ip_addr peer4 = mock_addr(PEER4), peer6 = mock_addr(PEER6);

	neigh_learn(&m.net->neigh, &peer4, &news, m.now_us);
	neigh_learn(&m.net->neigh, &peer6, &news, m.now_us);
}

static void send_segment(const char *local, const char *peer, uint8_t fill, uint16_t len)
{
	struct net_route route = {.local = mock_addr(local), .peer = mock_addr(peer)};

	memcpy(route.peer_mac, peer_mac, sizeof(route.peer_mac));
	net_output(m.net, mock_packet(&m, fill, len), &route, m.now_us);
}

static void announces_its_addresses_three_times(void **state)
{
	struct net_config config = mock_config();
	struct frame f;
	unsigned arp = 0, nd = 0, mld = 0;

	(void)state;
	mock_init_config(&m, &config);
	for (uint64_t end = m.now_us + 10000000;;) {
		uint64_t next = net_timers(m.net, m.now_us);

		while (mock_sent(&m, &f)) {
			arp += wire_get16(f.data + 12) == ETH_TYPE_ARP;
			nd += wire_get16(f.data + 12) == ETH_TYPE_IP6 &&
			      f.data[20] == IP_PROTO_ICMP6;
			mld += wire_get16(f.data + 12) == ETH_TYPE_IP6 && f.data[20] == 0;
		}
		if (next > end)
			break;
		m.now_us = next;
	}
	assert_int_equal(arp, NET_ANNOUNCEMENTS);
	assert_int_equal(nd, NET_ANNOUNCEMENTS);
	assert_int_equal(mld, NET_ANNOUNCEMENTS);
}

static void fills_headers_and_checksums(void **state)
{
	(void)state;
	mock_init(&m);
	meet_peers();
	for (unsigned v6 = 0; v6 < 2; v6++) {
		unsigned header = v6 ? IP6_HEADER_LEN : IP4_HEADER_LEN;
		struct ip_addr us = mock_addr(v6 ? MOCK_OUR6 : MOCK_OUR4);
		struct ip_addr peer = mock_addr(v6 ? PEER6 : PEER4);
		struct frame f;

		send_segment(v6 ? MOCK_OUR6 : MOCK_OUR4, v6 ? PEER6 : PEER4, 0xa5, 333);
		assert_true(mock_sent(&m, &f));
		assert_int_equal(f.len, ETH_HEADER_LEN + header + 333);
		assert_memory_equal(f.data, peer_mac, 6);
		assert_memory_equal(f.data + 6, our_mac, 6);
		assert_int_equal(checksum_finish(checksum_add(checksum_pseudo(&us, &peer, 6, 333),
					 f.data + ETH_HEADER_LEN + header, 333)),
			0);
		assert_int_equal(f.data[ETH_HEADER_LEN] >> 4, v6 ? 6 : 4);
		if (!v6)
			assert_int_equal(checksum(f.data + ETH_HEADER_LEN, IP4_HEADER_LEN), 0);
	}
}

static void leaves_checksums_to_a_device_that_fills_them(void **state)
{
	struct net_config config = mock_config();
	struct ip_addr us = mock_addr(MOCK_OUR4), peer = mock_addr(PEER4);
	uint16_t field, pseudo = checksum_fold(checksum_pseudo(&us, &peer, 6, 40));
	struct pkt *pkt;

	(void)state;
	config.tx_l4_csum = config.tx_ip4_csum = config.shared = true;
	mock_init_config(&m, &config);
	send_segment(MOCK_OUR4, PEER4, 0x11, 40);
	assert_int_equal(net_take_tx(m.net, &pkt, 1), 1);
	assert_int_equal(pkt->flags, PKT_TX_L4_CSUM | PKT_TX_IP4_CSUM);
	memcpy(&field, pkt->data + pkt->l4 + TCP_CHECKSUM_AT, 2);
	assert_int_equal(field, pseudo);
	assert_int_equal(wire_get16(pkt->data + pkt->l3 + 10), 0);
	pkt_free(pkt);
}

static void answers_to_the_sender_where_the_device_is_shared(void **state)
{
	struct net_config config = mock_config();
	struct frame f;

	(void)state;
	config.shared = true;
	mock_init_config(&m, &config);
	assert_false(mock_sent(&m, &f)); /* the kernel announces itself */
	send_segment(MOCK_OUR4, "203.0.113.9", 0, 40);
	assert_true(mock_sent(&m, &f));
	assert_memory_equal(f.data, peer_mac, 6);
	frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
	mock_input(&m, &f);
	assert_int_equal(mock_count(&m, NET_ETH_TYPE), 1);
	assert_false(mock_sent(&m, &f));
}

static void drops_what_has_no_way(void **state)
{
	struct net_config config = mock_config();

	(void)state;
	config.gateway4 = config.gateway6 = (struct ip_addr){{0}};
	config.shared = false;
	mock_init_config(&m, &config);
	send_segment(MOCK_OUR4, "203.0.113.9", 0, 40);
	send_segment(MOCK_OUR6, "2001:db8:9::9", 0, 40);
	send_segment(MOCK_OUR4, "224.0.0.1", 0, 40);
	send_segment(MOCK_OUR4, "255.255.255.255", 0, 40);
	send_segment(MOCK_OUR6, "ff02::1", 0, 40);
	assert_int_equal(mock_count(&m, NET_NO_ROUTE), 5);
	assert_int_equal(m.live, net_tx_waiting(m.net)); /* the announcements */
}

static void drops_segments_over_the_mtu(void **state)
{
	struct ip_addr peer4 = mock_addr(PEER4), peer6 = mock_addr(PEER6);

	(void)state;
	mock_init(&m);
	meet_peers();
	assert_int_equal(net_mss(m.net, &peer4), 1460);
	assert_int_equal(net_mss(m.net, &peer6), 1440);
	send_segment(MOCK_OUR4, PEER4, 0, 1460 + TCP_HEADER_LEN);
	send_segment(MOCK_OUR6, PEER6, 0, 1440 + TCP_HEADER_LEN);
	assert_int_equal(net_tx_waiting(m.net), 2);
	send_segment(MOCK_OUR4, PEER4, 0, 1460 + TCP_HEADER_LEN + 1);
	send_segment(MOCK_OUR6, PEER6, 0, 1440 + TCP_HEADER_LEN + 1);
	send_segment(MOCK_OUR4, PEER6, 0, 40); /* families do not mix */
	assert_int_equal(mock_count(&m, NET_TX_INVALID), 3);
}

static void bounds_the_transmit_list(void **state)
{
	(void)state;
	mock_init(&m);
	meet_peers();
	for (unsigned i = 0; i < NET_MAX_TX + 5; i++) {
		assert_int_equal(net_tx_crowded(m.net), i >= NET_MAX_TX / 2);
		send_segment(MOCK_OUR4, PEER4, 0, 40);
	}
	assert_int_equal(net_tx_waiting(m.net), NET_MAX_TX);
	assert_int_equal(mock_count(&m, NET_TX_FULL), 5);
	assert_int_equal(m.live, NET_MAX_TX);
}

static void keeps_the_order_of_frames_the_device_did_not_take(void **state)
{
	unsigned sent = 0, last = ETH_HEADER_LEN + IP4_HEADER_LEN + TCP_HEADER_LEN;
	struct pkt *pkts[8];
	unsigned n;

	(void)state;
	mock_init(&m);
	meet_peers();
	for (uint8_t i = 0; i < 20; i++)
		send_segment(MOCK_OUR4, PEER4, i, 41);
	while ((n = net_take_tx(m.net, pkts, 8))) {
		unsigned taken = n > 3 ? 3 : n;

		for (unsigned i = 0; i < taken; i++) {
			assert_int_equal(pkts[i]->data[last], sent++);
			pkt_free(pkts[i]);
		}
		net_untake_tx(m.net, pkts + taken, n - taken);
	}
	assert_int_equal(sent, 20);
}

static void chooses_the_address_in_the_peers_network(void **state)
{
	struct net_config config = mock_config();
	struct ip_addr local, peer = mock_addr("198.51.100.77"), want = mock_addr("198.51.100.2");

	(void)state;
	config.addresses[1] = (struct ip_cidr){mock_addr("198.51.100.2"), 96 + 25};
	mock_init_config(&m, &config);
	assert_true(net_source_for(m.net, &peer, &local));
	assert_true(ip_addr_eq(&local, &want));
	peer = mock_addr("198.51.100.129"); /* outside the /25: the first will do */
	want = mock_addr(MOCK_OUR4);
	assert_true(net_source_for(m.net, &peer, &local));
	assert_true(ip_addr_eq(&local, &want));
	peer = mock_addr(PEER6);
	assert_false(net_source_for(m.net, &peer, &local));
}

static void an_empty_pool_costs_answers_and_nothing_else(void **state)
{
	struct frame f;

	(void)state;
	mock_init(&m);
	m.limit = 0;
	frame_arp(&f, 1, peer_mac, PEER4, MOCK_OUR4);
	mock_input(&m, &f);
	assert_true(mock_sent(&m, &f)); /* the request itself became the reply */
	m.limit = 1;
	send_segment(MOCK_OUR4, "192.0.2.9", 0, 40);
	assert_int_equal(mock_count(&m, NET_NO_BUFFER), 1);
}

static void a_rate_is_kept_over_long_and_backward_time(void **state)
{
	struct net_rate r;
	unsigned taken = 0;

	(void)state;
	mock_init(&m);
	net_rate_init(&r, 10, 3, 1000);
	for (uint64_t now = 1000; now < 1000 + 10000000; now += 1000)
		taken += net_rate_take(&r, now);
	assert_in_range(taken, 3 + 98, 3 + 100);
	assert_true(net_rate_take(&r, UINT64_MAX));
	assert_true(net_rate_take(&r, 0));
	assert_true(net_rate_take(&r, 0));
	assert_false(net_rate_take(&r, 0));
}

static void drops_tcp_from_denied_networks_but_not_what_the_path_needs(void **state)
{
	struct access_rule rule = {.verb = ACCESS_DENY, .until_us = ACCESS_FOREVER};
	const uint8_t echo[] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
	struct access_table *table;
	struct frame f;

	(void)state;
	mock_init(&m);
	assert_int_equal(ip_cidr_parse(BYTES("192.0.2.0/30"), true, &rule.net), 0);
	assert_int_equal(access_table_new(&rule, 1, &table), 0);
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	assert_int_equal(mock_input(&m, &f), NET_TCP);
	net_set_access(m.net, table);
	assert_int_equal(mock_input(&m, &f), NET_CONSUMED);
	assert_int_equal(mock_count(&m, NET_DENIED), 1);
	frame_tcp(&f, "192.0.2.4", MOCK_OUR4, 0);
	assert_int_equal(mock_input(&m, &f), NET_TCP);
	frame_packet(&f, PEER4, MOCK_OUR4, IP_PROTO_ICMP, echo, sizeof(echo));
	mock_input(&m, &f);
	assert_int_equal(mock_count(&m, NET_ECHO_REPLIES), 1);
	assert_int_equal(mock_count(&m, NET_DENIED), 1);
	net_set_access(m.net, NULL);
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	assert_int_equal(mock_input(&m, &f), NET_TCP);
	access_table_free(table);
}

static int can_open(const char *peer)
{
	struct ip_addr addr = mock_addr(peer);

	return net_can_open(m.net, &addr);
}

static void knows_where_it_can_open_connections(void **state)
{
	struct net_config config = mock_config();

	(void)state;
	mock_init_config(&m, &config);
	assert_int_equal(can_open(PEER4), 0);
	assert_int_equal(can_open("198.51.100.1"), 0);
	assert_int_equal(can_open(MOCK_OUR4), -ENETUNREACH);
	assert_int_equal(can_open(MOCK_OUR6), -ENETUNREACH);
	assert_int_equal(can_open("224.0.0.1"), -ENETUNREACH);
	assert_int_equal(can_open("ff02::1"), -ENETUNREACH);
	assert_int_equal(can_open("127.0.0.1"), -ENETUNREACH);
	assert_int_equal(can_open("0.0.0.0"), -ENETUNREACH);
	mock_fini(&m);

	memset(&config.gateway4, 0, sizeof(config.gateway4));
	memset(&config.gateway6, 0, sizeof(config.gateway6));
	mock_init_config(&m, &config);
	assert_int_equal(can_open(PEER6), 0);
	assert_int_equal(can_open("198.51.100.1"), -ENETUNREACH);
	assert_int_equal(can_open("2001:db8:1::1"), -ENETUNREACH);
	mock_fini(&m);

	config.one_of_many = true;
	mock_init_config(&m, &config);
	assert_int_equal(can_open(PEER4), -EOPNOTSUPP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(knows_where_it_can_open_connections),
		TEST(announces_its_addresses_three_times),
		TEST(fills_headers_and_checksums),
		TEST(leaves_checksums_to_a_device_that_fills_them),
		TEST(answers_to_the_sender_where_the_device_is_shared),
		TEST(drops_what_has_no_way),
		TEST(drops_segments_over_the_mtu),
		TEST(bounds_the_transmit_list),
		TEST(keeps_the_order_of_frames_the_device_did_not_take),
		TEST(chooses_the_address_in_the_peers_network),
		TEST(an_empty_pool_costs_answers_and_nothing_else),
		TEST(a_rate_is_kept_over_long_and_backward_time),
		TEST(drops_tcp_from_denied_networks_but_not_what_the_path_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
