#include "dataplane/net/capture.h"

#include "base/testing.h"
#include "dataplane/net/net_mock.h"

#define OTHER4 "192.0.2.9"
#define PEER4  "192.0.2.1"
#define PEER6  "2001:db8::1"

static struct capture *capture;

static int tear_down(void **state)
{
	(void)state;
	capture_free(capture);
	capture = NULL;
	return 0;
}

static void start(const char *peer)
{
	struct ip_addr addr;

	if (peer)
		addr = mock_addr(peer);
	assert_int_equal(capture_new(peer ? &addr : NULL, 1000, &capture), 0);
}

static unsigned add(const void *octets, size_t len, uint64_t now_us)
{
	/* Exactly as long as said, so that a sanitizer sees a look behind it. */
	uint8_t *data = malloc(len ? len : 1);
	struct pkt pkt = {.data = data, .len = (uint16_t)len}, *pkts[] = {&pkt};
	unsigned dropped;

	assert_non_null(data);
	memcpy(data, octets, len);
	dropped = capture_add(capture, pkts, 1, now_us);
	free(data);
	return dropped;
}

static bool takes(const struct frame *f, size_t len)
{
	const struct capture_packet *packet;

	assert_int_equal(add(f->data, len, 7), 0);
	packet = capture_peek(capture);
	if (!packet)
		return false;
	assert_int_equal(packet->time_us, 7);
	assert_int_equal(packet->wire_len, len);
	assert_int_equal(packet->len, len);
	assert_memory_equal(packet->octets, f->data, len);
	capture_pop(capture);
	assert_null(capture_peek(capture));
	return true;
}

static void takes_every_frame_of_any_length(void **state)
{
	struct frame f;

	(void)state;
	start(NULL);
	frame_tcp(&f, PEER4, MOCK_OUR4, 20);
	for (size_t len = 0; len <= f.len; len++)
		assert_true(takes(&f, len));
}

static void takes_only_what_names_the_peer(void **state)
{
	static const uint8_t mac[6] = MOCK_PEER;
	static const struct {
		const char *peer, *src, *dst;
		size_t header;
		bool taken;
	} cases[] = {
		{PEER4, PEER4, MOCK_OUR4, IP4_HEADER_LEN, true},
		{PEER4, MOCK_OUR4, PEER4, IP4_HEADER_LEN, true},
		{PEER4, OTHER4, MOCK_OUR4, IP4_HEADER_LEN, false},
		{PEER4, PEER6, MOCK_OUR6, IP6_HEADER_LEN, false},
		{PEER6, PEER6, MOCK_OUR6, IP6_HEADER_LEN, true},
		{PEER6, MOCK_OUR6, PEER6, IP6_HEADER_LEN, true},
		{PEER6, "2001:db8::9", MOCK_OUR6, IP6_HEADER_LEN, false},
		{PEER6, PEER4, MOCK_OUR4, IP4_HEADER_LEN, false},
	};
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(cases[i].peer);
		frame_tcp(&f, cases[i].src, cases[i].dst, 20);
		for (size_t len = 0; len <= f.len; len++)
			assert_int_equal(takes(&f, len),
				cases[i].taken && len >= ETH_HEADER_LEN + cases[i].header);
		tear_down(NULL);
	}
	start(PEER4);
	frame_arp(&f, 1, mac, PEER4, MOCK_OUR4);
	assert_true(takes(&f, f.len));
	frame_arp(&f, 1, mac, MOCK_OUR4, PEER4);
	assert_true(takes(&f, f.len));
	assert_false(takes(&f, ETH_HEADER_LEN + 27));
	frame_arp(&f, 1, mac, OTHER4, MOCK_OUR4);
	assert_false(takes(&f, f.len));
}

static void cuts_long_packets_and_says_how_long_they_were(void **state)
{
	static uint8_t jumbo[9014];
	const struct capture_packet *packet;

	(void)state;
	start(NULL);
	jumbo[CAPTURE_SNAP - 1] = 0x5a;
	assert_int_equal(add(jumbo, sizeof(jumbo), 0), 0);
	packet = capture_peek(capture);
	assert_int_equal(packet->wire_len, sizeof(jumbo));
	assert_int_equal(packet->len, CAPTURE_SNAP);
	assert_int_equal(packet->octets[CAPTURE_SNAP - 1], 0x5a);
}

static void counts_what_does_not_fit_and_keeps_the_oldest(void **state)
{
	(void)state;
	start(NULL);
	for (unsigned i = 0; i < CAPTURE_RING + 10; i++)
		assert_int_equal(add(&i, sizeof(i), i % 900), i >= CAPTURE_RING);
	assert_int_equal(capture_dropped(capture), 10);
	for (unsigned i = 0; i < CAPTURE_RING; i++) {
		assert_memory_equal(capture_peek(capture)->octets, &i, sizeof(i));
		capture_pop(capture);
	}
	assert_null(capture_peek(capture));
	assert_int_equal(add("x", 1, 0), 0);
}

static void ends_at_its_time(void **state)
{
	(void)state;
	start(NULL);
	add("x", 1, 999);
	add("y", 1, 1000);
	assert_int_equal(capture_peek(capture)->octets[0], 'x');
	capture_pop(capture);
	assert_null(capture_peek(capture));
	assert_int_equal(capture_dropped(capture), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(takes_every_frame_of_any_length),
		TEST(takes_only_what_names_the_peer),
		TEST(cuts_long_packets_and_says_how_long_they_were),
		TEST(counts_what_does_not_fit_and_keeps_the_oldest),
		TEST(ends_at_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
