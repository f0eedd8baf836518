#include "dataplane/net/mld.h"
#include "dataplane/net/net_mock.h"
#include "dataplane/port/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct mock *const m = &mock_shared;

/* A general query to all nodes. */
static void query(struct frame *f, const char *src, uint8_t hop_limit, size_t len)
{
	uint8_t message[28] = {130, [4] = 0x27, 0x10};

	frame_packet(f, src, "ff02::1", IP_PROTO_ICMP6, message, len);
	f->data[ETH_HEADER_LEN + 7] = hop_limit;
}

static void expect_report(const struct frame *f)
{
	static const uint8_t mac[6] = {0x33, 0x33, 0, 0, 0, 0x16};
	static const uint8_t alert[8] = {IP_PROTO_ICMP6, 0, 5, 2, 0, 0, 1, 0};
	struct ip_addr src = mock_addr("::"), dst = mock_addr("ff02::16");
	struct ip_addr group = mock_addr("ff02::1:ff00:2");
	const struct ip6_header *ip = (const void *)(f->data + ETH_HEADER_LEN);
	const uint8_t *report = f->data + ETH_HEADER_LEN + IP6_HEADER_LEN + 8;
	uint64_t sum = checksum_pseudo(&src, &dst, IP_PROTO_ICMP6, 28);

	assert_int_equal(f->len, ETH_HEADER_LEN + IP6_HEADER_LEN + 8 + 28);
	assert_memory_equal(f->data, mac, 6);
	assert_int_equal(ip->next, 0);
	assert_int_equal(ip->hop_limit, 1);
	assert_memory_equal(ip->dst, dst.octets, 16);
	assert_memory_equal(report - 8, alert, 8);
	assert_int_equal(report[0], 143);
	assert_int_equal(wire_get16(report + 6), 1);
	assert_int_equal(report[8], 4);
	assert_memory_equal(report + 12, group.octets, 16);
	assert_int_equal(checksum_finish(checksum_add(sum, report, 28)), 0);
}

static void reports_its_groups_when_asked(void **state)
{
	struct frame f;

	(void)state;
	for (size_t len = 24; len <= 28; len += 4) { /* versions 1 and 2 */
		query(&f, "fe80::1", 1, len);
		mock_input(m, &f);
		assert_true(mock_sent(m, &f));
		expect_report(&f);
		assert_false(mock_sent(m, &f));
	}
}

static void ignores_queries_that_no_router_of_the_link_sent(void **state)
{
	struct frame f;

	(void)state;
	query(&f, "fe80::1", 64, 28);
	mock_input(m, &f);
	query(&f, "2001:db8::1", 1, 28);
	mock_input(m, &f);
	query(&f, "fe80::1", 1, 23);
	mock_input(m, &f);
	assert_int_equal(mock_count(m, NET_ICMP_BAD), 3);
	assert_false(mock_sent(m, &f));
}

static void has_nothing_to_report_without_ip6_addresses(void **state)
{
	struct frame f;

	(void)state;
	m->net->config.n_addresses = 1;
	mld_report(m->net);
	assert_false(mock_sent(m, &f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_set_up, mock_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(reports_its_groups_when_asked),
		TEST(ignores_queries_that_no_router_of_the_link_sent),
		TEST(has_nothing_to_report_without_ip6_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
