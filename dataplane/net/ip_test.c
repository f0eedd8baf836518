#include "dataplane/net/ip.h"
#include "dataplane/net/net_mock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PEER4 "192.0.2.1"
#define PEER6 "2001:db8::1"

static struct mock *const m = &mock_shared;

static void expect_dropped(const struct frame *f, enum net_counter why)
{
	uint64_t before = mock_count(m, why);

	assert_int_equal(mock_input(m, f), NET_CONSUMED);
	assert_int_equal(mock_count(m, why), before + 1);
	assert_int_equal(net_tx_waiting(m->net), 0);
}

static struct ip4_header *ip4_of(struct frame *f)
{
	return (struct ip4_header *)(f->data + ETH_HEADER_LEN);
}

static struct ip6_header *ip6_of(struct frame *f)
{
	return (struct ip6_header *)(f->data + ETH_HEADER_LEN);
}

static void hands_over_a_tcp_segment_of_each_family(void **state)
{
	static const char *const pairs[][2] = {{PEER4, MOCK_OUR4}, {PEER6, MOCK_OUR6}};
	static const uint8_t peer_mac[6] = MOCK_PEER;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned header = i ? IP6_HEADER_LEN : IP4_HEADER_LEN;
		struct ip_addr src = mock_addr(pairs[i][0]), dst = mock_addr(pairs[i][1]);
		struct net_segment seg;
		struct net_icmp icmp;
		struct pkt *pkt;
		struct frame f;

		frame_tcp(&f, pairs[i][0], pairs[i][1], 100);
		assert_int_equal(mock_input_keep(m, &f, 0, &seg, &icmp, &pkt), NET_TCP);
		assert_true(ip_addr_eq(&seg.src, &src) && ip_addr_eq(&seg.dst, &dst));
		assert_memory_equal(seg.src_mac, peer_mac, 6);
		assert_int_equal(pkt->l3, ETH_HEADER_LEN);
		assert_int_equal(pkt->l4, ETH_HEADER_LEN + header);
		assert_int_equal(pkt->len - pkt->l4, TCP_HEADER_LEN + 100);
		assert_int_equal(pkt->data[pkt->l4 + TCP_HEADER_LEN + 99], 99);
		pkt_free(pkt);
	}
}

static void cuts_ethernet_padding_off(void **state)
{
	struct net_segment seg;
	struct net_icmp icmp;
	struct pkt *pkt;
	struct frame f;

	(void)state;
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	frame_put(&f, "padding", 6);
	assert_int_equal(mock_input_keep(m, &f, 0, &seg, &icmp, &pkt), NET_TCP);
	assert_int_equal(pkt->len, ETH_HEADER_LEN + IP4_HEADER_LEN + TCP_HEADER_LEN);
	assert_int_equal(pkt->tailroom, 6);
	pkt_free(pkt);
}

static void drops_a_packet_longer_than_its_frame(void **state)
{
	struct frame f;

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		frame_tcp(&f, v6 ? PEER6 : PEER4, v6 ? MOCK_OUR6 : MOCK_OUR4, 50);
		f.len--; /* as a device that cuts super-frames would leave it */
		expect_dropped(&f, NET_IP_TRUNCATED);
	}
}

static void drops_every_prefix_of_a_packet(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct frame f;
		size_t whole;

		frame_tcp(&f, v6 ? PEER6 : PEER4, v6 ? MOCK_OUR6 : MOCK_OUR4, 0);
		whole = f.len;
		for (f.len = 0; f.len < whole; f.len++)
			assert_int_equal(mock_input(m, &f), NET_CONSUMED);
		assert_int_equal(mock_input(m, &f), NET_TCP);
	}
}

static void drops_impossible_ip4_headers(void **state)
{
	struct frame f;

	(void)state;
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	ip4_of(&f)->version_ihl = 0x65;
	expect_dropped(&f, NET_IP_MALFORMED);
	ip4_of(&f)->version_ihl = 0x44;
	expect_dropped(&f, NET_IP_MALFORMED);
	ip4_of(&f)->version_ihl = 0x4f; /* longer than the packet */
	expect_dropped(&f, NET_IP_MALFORMED);
	ip4_of(&f)->version_ihl = 0x45;
	wire_put16(ip4_of(&f)->total_len, 19);
	expect_dropped(&f, NET_IP_MALFORMED);
	wire_put16(ip4_of(&f)->total_len, IP4_HEADER_LEN + TCP_HEADER_LEN - 1);
	frame_fix_ip4(&f);
	expect_dropped(&f, NET_IP_MALFORMED); /* no room for a TCP header */
}

static void drops_a_wrong_header_checksum(void **state)
{
	struct frame f;

	(void)state;
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	ip4_of(&f)->ttl--;
	expect_dropped(&f, NET_IP_CHECKSUM);
	frame_fix_ip4(&f);
	assert_int_equal(mock_input(m, &f), NET_TCP);
}

static void takes_a_packet_whose_time_to_live_is_spent(void **state)
{
	struct frame f;

	(void)state;
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	ip4_of(&f)->ttl = 0;
	frame_fix_ip4(&f);
	assert_int_equal(mock_input(m, &f), NET_TCP);
}

static void drops_a_wrong_tcp_checksum_unless_the_device_vouches(void **state)
{
	struct net_segment seg;
	struct net_icmp icmp;
	struct pkt *pkt;
	struct frame f;

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		frame_tcp(&f, v6 ? PEER6 : PEER4, v6 ? MOCK_OUR6 : MOCK_OUR4, 50);
		assert_int_equal(
			mock_input_keep(m, &f, PKT_RX_L4_BAD, &seg, &icmp, &pkt), NET_CONSUMED);
		f.data[f.len - 1] ^= 1;
		expect_dropped(&f, NET_TCP_CHECKSUM);
		assert_int_equal(
			mock_input_keep(m, &f, PKT_RX_L4_GOOD, &seg, &icmp, &pkt), NET_TCP);
		pkt_free(pkt);
	}
}

static void drops_martians(void **state)
{
	static const char *const v4[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1",
		"240.0.0.1", "255.255.255.255", "192.0.2.255", MOCK_OUR4};
	static const char *const v6[] = {"::", "::1", "ff02::1", MOCK_OUR6};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		frame_tcp(&f, v4[i], MOCK_OUR4, 0);
		expect_dropped(&f, NET_IP_MARTIAN);
	}
	for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
		frame_tcp(&f, v6[i], MOCK_OUR6, 0);
		expect_dropped(&f, NET_IP_MARTIAN);
	}
}

static void a_mapped_address_on_the_wire_is_not_the_ip4_one(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2};
	struct frame f;

	(void)state;
	frame_tcp(&f, PEER6, MOCK_OUR6, 0);
	memcpy(ip6_of(&f)->dst, mapped, 16);
	expect_dropped(&f, NET_IP_NOT_LOCAL);
	frame_tcp(&f, PEER6, MOCK_OUR6, 0);
	memcpy(ip6_of(&f)->src, mapped, 16);
	ip6_of(&f)->src[15] = 1;
	expect_dropped(&f, NET_IP_MARTIAN);
}

static void drops_what_is_not_for_us(void **state)
{
	static const uint8_t other_mac[6] = {2, 9, 9, 9, 9, 9}, our_mac[6] = MOCK_MAC;
	struct frame f;

	(void)state;
	frame_tcp(&f, PEER4, "192.0.2.3", 0);
	expect_dropped(&f, NET_IP_NOT_LOCAL);
	frame_tcp(&f, PEER6, "2001:db8::3", 0);
	expect_dropped(&f, NET_IP_NOT_LOCAL);
	frame_tcp(&f, PEER6, "ff02::1", 0);
	expect_dropped(&f, NET_IP_MARTIAN); /* no TCP to a group */
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	memcpy(f.data, other_mac, 6);
	expect_dropped(&f, NET_ETH_OTHER);
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	memcpy(f.data + 6, our_mac, 6); /* our own frame come back */
	expect_dropped(&f, NET_ETH_OTHER);
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	memset(f.data, 0xff, 6); /* unicast IP in a broadcast frame: RFC 1122 §3.3.6 */
	expect_dropped(&f, NET_IP_NOT_LOCAL);
	frame_tcp(&f, PEER4, MOCK_OUR4, 0);
	f.data[12] = 0x81; /* a VLAN tag */
	expect_dropped(&f, NET_ETH_TYPE);
	frame_packet(&f, PEER4, MOCK_OUR4, 17, "datagram", 8);
	expect_dropped(&f, NET_IP_PROTOCOL);
}

static void drops_fragments_and_counts_them(void **state)
{
	static const uint16_t fields[] = {IP4_MORE_FRAGMENTS, 1, IP4_OFFSET_MASK, 0x2001};
	uint8_t extended[8 + TCP_HEADER_LEN] = {IP_PROTO_TCP};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		frame_tcp(&f, PEER4, MOCK_OUR4, 0);
		wire_put16(ip4_of(&f)->fragment, fields[i]);
		frame_fix_ip4(&f);
		expect_dropped(&f, NET_IP_FRAGMENT);
	}
	wire_put16(extended + 2, 1); /* more fragments */
	frame_packet(&f, PEER6, MOCK_OUR6, 44, extended, sizeof(extended));
	expect_dropped(&f, NET_IP_FRAGMENT);
	wire_put16(extended + 2, 8); /* offset */
	frame_packet(&f, PEER6, MOCK_OUR6, 44, extended, sizeof(extended));
	expect_dropped(&f, NET_IP_FRAGMENT);
}

/* Octets of options between the header and a bare TCP header. */
static void with_ip4_options(struct frame *f, const uint8_t *options, size_t len)
{
	frame_tcp(f, PEER4, MOCK_OUR4, 0);
	memmove(f->data + ETH_HEADER_LEN + IP4_HEADER_LEN + len,
		f->data + ETH_HEADER_LEN + IP4_HEADER_LEN, TCP_HEADER_LEN);
	memcpy(f->data + ETH_HEADER_LEN + IP4_HEADER_LEN, options, len);
	f->len += len;
	ip4_of(f)->version_ihl = (uint8_t)(0x45 + len / 4);
	wire_put16(ip4_of(f)->total_len, (uint16_t)(IP4_HEADER_LEN + len + TCP_HEADER_LEN));
	frame_fix_ip4(f);
}

static void steps_over_ip4_options_but_not_source_routes(void **state)
{
	static const uint8_t harmless[] = {1, 148, 4, 0, 0, 1, 0, 99};
	static const uint8_t bad[][8] = {
		{131, 7, 4, 192, 0, 2, 9, 0},
		{1, 137, 7, 4, 192, 0, 2, 9},
		{148, 9, 0, 0, 0, 0, 0, 0},
		{148, 1, 0, 0, 0, 0, 0, 0},
		{148, 0, 0, 0, 0, 0, 0, 0},
		{1, 1, 1, 1, 1, 1, 1, 148},
		{68, 2, 0, 0, 0, 0, 0, 0},
	};
	struct frame f;

	(void)state;
	with_ip4_options(&f, harmless, sizeof(harmless));
	assert_int_equal(mock_input(m, &f), NET_TCP);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		with_ip4_options(&f, bad[i], sizeof(bad[i]));
		expect_dropped(&f, NET_IP_OPTIONS);
	}
}

/* `n` extension headers, each naming the next, before a TCP header whose checksum is right. */
static void with_extensions(struct frame *f, const uint8_t (*headers)[8], size_t n)
{
	uint8_t chain[8 * 8];
	struct frame tcp;
	const struct eth_header *eth = (const void *)tcp.data;

	frame_tcp(&tcp, PEER6, MOCK_OUR6, 0);
	f->len = 0;
	frame_eth(f, eth->dst, eth->src, ETH_TYPE_IP6);
	frame_ip6(f, PEER6, MOCK_OUR6, headers[0][0], n * 8 + TCP_HEADER_LEN);
	for (size_t i = 0; i < n; i++) {
		memcpy(chain + 8 * i, headers[i], 8);
		chain[8 * i] = i + 1 < n ? headers[i + 1][0] : IP_PROTO_TCP;
	}
	frame_put(f, chain, 8 * n);
	frame_put(f, tcp.data + ETH_HEADER_LEN + IP6_HEADER_LEN, TCP_HEADER_LEN);
}

static void steps_over_few_and_harmless_ip6_extensions(void **state)
{
	/* First octet: which header it is (the chain is linked up above). */
	static const uint8_t fine[][8] = {{0}, {60}, {43}, {44}};
	static const uint8_t too_many[][8] = {{0}, {60}, {60}, {60}, {60}};
	static const uint8_t late_hop_by_hop[][8] = {{60}, {0}};
	static const uint8_t routed[][8] = {{43, 0, 0, 1}};
	static const uint8_t overlong[][8] = {{60, 200}};
	static const uint8_t encrypted[][8] = {{50}};
	struct frame f;

	(void)state;
	with_extensions(&f, fine, 4);
	assert_int_equal(mock_input(m, &f), NET_TCP);
	with_extensions(&f, too_many, 5);
	expect_dropped(&f, NET_IP_EXTENSION);
	with_extensions(&f, late_hop_by_hop, 2);
	expect_dropped(&f, NET_IP_EXTENSION);
	with_extensions(&f, routed, 1);
	expect_dropped(&f, NET_IP_EXTENSION);
	with_extensions(&f, overlong, 1);
	expect_dropped(&f, NET_IP_EXTENSION);
	with_extensions(&f, encrypted, 1);
	expect_dropped(&f, NET_IP_PROTOCOL);
}

/* RFC 8200 §4.2. */
static void takes_no_ip6_option_that_must_be_known(void **state)
{
	static const uint8_t harmless[][8] = {{60, 0, 0x1e, 4}, {60, 0, 0, 0, 1, 2}, {60, 0, 1, 4},
		{60, 0, 0x3e, 1, 0, 0, 1, 0}, {60}, {0, 0, 5, 2, 0, 0, 1, 0}};
	static const uint8_t bad[][8] = {{60, 0, 0x5e, 4}, {60, 0, 0x9e, 4}, {60, 0, 0xde, 4},
		{0, 0, 0xc2, 4}, {60, 0, 1, 5}, {60, 0, 1, 255}, {60, 0, 1, 3, 0, 0, 0, 1}};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		with_extensions(&f, &harmless[i], 1);
		assert_int_equal(mock_input(m, &f), NET_TCP);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		with_extensions(&f, &bad[i], 1);
		expect_dropped(&f, NET_IP_EXTENSION);
	}
}

static void finds_the_group_and_its_mac(void **state)
{
	struct ip_addr addr = mock_addr("2001:db8::1:800:200e:8c6c");
	struct ip_addr group = ip_solicited_node(&addr), want = mock_addr("ff02::1:ff0e:8c6c");
	static const uint8_t want_mac[6] = {0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c};
	uint8_t mac[6];

	(void)state;
	assert_true(ip_addr_eq(&group, &want)); /* the example of RFC 4291 §2.7.1 */
	ip_group_mac(&group, mac);
	assert_memory_equal(mac, want_mac, 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_set_up, mock_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(hands_over_a_tcp_segment_of_each_family),
		TEST(cuts_ethernet_padding_off),
		TEST(drops_a_packet_longer_than_its_frame),
		TEST(drops_every_prefix_of_a_packet),
		TEST(drops_impossible_ip4_headers),
		TEST(drops_a_wrong_header_checksum),
		TEST(takes_a_packet_whose_time_to_live_is_spent),
		TEST(drops_a_wrong_tcp_checksum_unless_the_device_vouches),
		TEST(drops_martians),
		TEST(a_mapped_address_on_the_wire_is_not_the_ip4_one),
		TEST(drops_what_is_not_for_us),
		TEST(drops_fragments_and_counts_them),
		TEST(steps_over_ip4_options_but_not_source_routes),
		TEST(steps_over_few_and_harmless_ip6_extensions),
		TEST(takes_no_ip6_option_that_must_be_known),
		TEST(finds_the_group_and_its_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
