/*
 * The XDP program in the kernel, on frames of our own: no interface, no socket. What would go to a
 * socket is dropped and counted as unserved. Needs root; skips otherwise.
 */
#include "dataplane/port/port_xsk_steer_priv.h"
#include "dataplane/wire.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SKIPPED 77

#define OUR4  "192.0.2.25"
#define ALSO4 "192.0.2.26"
#define PEER4 "198.51.100.1"
#define OUR6  "2001:db8::25"
#define PEER6 "2001:db8:1::1"
#define SMTP  25
#define SMTPS 465

#define TCP            6
#define UDP            17
#define ICMP6          58
#define MORE_FRAGMENTS 0x2000

struct frame {
	uint8_t data[512];
	unsigned len;
};

static struct port_xsk_steer steer;

/* --- frames, from the front to the back ----------------------------------------------------------
 */

static uint8_t *add(struct frame *f, unsigned len)
{
	uint8_t *at = f->data + f->len;

	memset(at, 0, len);
	f->len += len;
	return at;
}

static struct frame frame(uint16_t type)
{
	struct frame f = {.len = 0};

	wire_put16(add(&f, ETH_HEADER_LEN) + 12, type);
	return f;
}

static struct ip_addr address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(bytes_str(text), &a), 0);
	return a;
}

static void ip4(struct frame *f, uint8_t protocol, const char *src, const char *dst,
	unsigned options, uint16_t fragment)
{
	struct ip_addr from = address(src), to = address(dst);
	uint8_t *ip = add(f, 20 + options);

	ip[0] = (uint8_t)(0x45 + options / 4);
	wire_put16(ip + 6, fragment);
	ip[9] = protocol;
	memcpy(ip + 12, from.octets + 12, 4);
	memcpy(ip + 16, to.octets + 12, 4);
}

static void ip6(struct frame *f, uint8_t next, const char *src, const char *dst)
{
	struct ip_addr from = address(src), to = address(dst);
	uint8_t *ip = add(f, 40);

	ip[0] = 0x60;
	ip[6] = next;
	memcpy(ip + 8, from.octets, 16);
	memcpy(ip + 24, to.octets, 16);
}

static void extension(struct frame *f, uint8_t next, unsigned len)
{
	uint8_t *header = add(f, len);

	header[0] = next;
	header[1] = (uint8_t)(len / 8 - 1);
}

static void fragment6(struct frame *f, uint8_t next, uint16_t offset_and_more)
{
	uint8_t *header = add(f, 8);

	header[0] = next;
	wire_put16(header + 2, offset_and_more);
}

static void ports(struct frame *f, uint16_t src, uint16_t dst)
{
	uint8_t *tcp = add(f, 20);

	wire_put16(tcp, src);
	wire_put16(tcp + 2, dst);
}

static void icmp(struct frame *f, uint8_t type)
{
	add(f, 8)[0] = type;
}

/* --- verdicts -----------------------------------------------------------------------------------
 */

enum verdict { PASSED, TAKEN, TAKEN_ICMP, FRAGMENT };

static enum verdict run(const struct frame *f, unsigned len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = len, .repeat = 1);
	uint64_t before[STEER_STAT_COUNT], more[STEER_STAT_COUNT];

	for (unsigned i = 0; i < STEER_STAT_COUNT; i++)
		before[i] = steer.stats[i];
	assert_int_equal(bpf_prog_test_run_opts(steer.program, &opts), 0);
	for (unsigned i = 0; i < STEER_STAT_COUNT; i++)
		more[i] = steer.stats[i] - before[i];
	if (opts.retval == XDP_PASS) {
		assert_int_equal(more[STEER_UNSERVED] + more[STEER_FRAGMENTS], 0);
		return PASSED;
	}
	assert_int_equal(opts.retval, XDP_DROP);
	assert_int_equal(more[STEER_UNSERVED] + more[STEER_FRAGMENTS], 1);
	if (more[STEER_FRAGMENTS])
		return FRAGMENT;
	return more[STEER_ICMP] ? TAKEN_ICMP : TAKEN;
}

/* The whole frame, and everything that is left of it when it is cut: the kernel's, or the same. */
static void expect(const struct frame *f, enum verdict verdict)
{
	assert_int_equal(run(f, f->len), verdict);
	for (unsigned len = ETH_HEADER_LEN; len < f->len; len++) {
		enum verdict cut = run(f, len);

		assert_true(cut == PASSED || cut == verdict);
	}
}

/* --- IPv4 ---------------------------------------------------------------------------------------
 */

static void expect4(uint8_t protocol, const char *dst, uint16_t port, unsigned options,
	uint16_t fragment, enum verdict verdict)
{
	struct frame f = frame(ETH_TYPE_IP4);

	ip4(&f, protocol, PEER4, dst, options, fragment);
	ports(&f, 40000, port);
	expect(&f, verdict);
}

static void takes_tcp_to_our_address_and_port(void **state)
{
	(void)state;
	expect4(TCP, OUR4, SMTP, 0, 0, TAKEN);
	expect4(TCP, OUR4, SMTPS, 0, 0, TAKEN);
	expect4(TCP, ALSO4, SMTP, 0, 0, TAKEN);
	expect4(TCP, OUR4, SMTP, 0, 0x4000, TAKEN); /* don't fragment */
}

static void passes_what_is_not_ours(void **state)
{
	struct frame f = frame(ETH_TYPE_ARP);

	(void)state;
	expect4(TCP, OUR4, 22, 0, 0, PASSED);
	expect4(TCP, PEER4, SMTP, 0, 0, PASSED);
	expect4(UDP, OUR4, SMTP, 0, 0, PASSED);
	add(&f, 28);
	expect(&f, PASSED);
}

static void takes_tcp_behind_ip_options(void **state)
{
	(void)state;
	for (unsigned options = 4; options <= 40; options += 4) {
		expect4(TCP, OUR4, SMTP, options, 0, TAKEN);
		expect4(TCP, OUR4, 22, options, 0, PASSED);
	}
}

static void drops_first_fragments_for_our_ports_and_no_others(void **state)
{
	(void)state;
	expect4(TCP, OUR4, SMTP, 0, MORE_FRAGMENTS, FRAGMENT);
	expect4(TCP, OUR4, SMTP, 8, MORE_FRAGMENTS, FRAGMENT);
	expect4(TCP, OUR4, 22, 0, MORE_FRAGMENTS, PASSED);
	expect4(TCP, OUR4, SMTP, 0, MORE_FRAGMENTS | 3, PASSED); /* not a first one: no ports */
	expect4(TCP, OUR4, SMTP, 0, 3, PASSED);
}

static void passes_frames_with_a_vlan_tag(void **state)
{
	struct frame f = frame(0x8100);

	(void)state;
	wire_put16(add(&f, 4) + 2, ETH_TYPE_IP4);
	ip4(&f, TCP, PEER4, OUR4, 0, 0);
	ports(&f, 40000, SMTP);
	expect(&f, PASSED);
}

static void expect_icmp4(uint8_t type, const char *src, uint8_t protocol, uint16_t port,
	unsigned options, enum verdict verdict)
{
	struct frame f = frame(ETH_TYPE_IP4);

	ip4(&f, 1, PEER4, OUR4, options, 0);
	icmp(&f, type);
	ip4(&f, protocol, src, PEER4, 0, 0x4000);
	ports(&f, port, 40000);
	expect(&f, verdict);
}

static void takes_icmp_errors_about_our_flows(void **state)
{
	static const uint8_t errors[] = {3, 4, 11, 12};

	(void)state;
	for (size_t i = 0; i < sizeof(errors); i++) {
		expect_icmp4(errors[i], OUR4, TCP, SMTP, 0, TAKEN_ICMP);
		expect_icmp4(errors[i], OUR4, TCP, SMTP, 4, TAKEN_ICMP);
		expect_icmp4(errors[i], OUR4, TCP, 22, 0, PASSED);
		expect_icmp4(errors[i], OUR4, UDP, SMTP, 0, PASSED);
		expect_icmp4(errors[i], PEER4, TCP, SMTP, 0, PASSED);
	}
	for (uint8_t type = 0; type < 20; type++) {
		if (!memchr(errors, type, sizeof(errors)))
			expect_icmp4(type, OUR4, TCP, SMTP, 0, PASSED);
	}
}

/* --- IPv6 ---------------------------------------------------------------------------------------
 */

static void takes_tcp_over_ipv6(void **state)
{
	static const struct {
		uint8_t next;
		const char *dst;
		uint16_t port;
		enum verdict verdict;
	} cases[] = {
		{TCP, OUR6, SMTP, TAKEN},
		{TCP, OUR6, SMTPS, TAKEN},
		{TCP, OUR6, 22, PASSED},
		{TCP, PEER6, SMTP, PASSED},
		{TCP, "2001:db8::26", SMTP, PASSED},
		{UDP, OUR6, SMTP, PASSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f = frame(ETH_TYPE_IP6);

		ip6(&f, cases[i].next, PEER6, cases[i].dst);
		ports(&f, 40000, cases[i].port);
		expect(&f, cases[i].verdict);
	}
}

static void takes_tcp_behind_extension_headers(void **state)
{
	static const uint8_t kinds[] = {0, 60, 43, 60, 60};

	(void)state;
	for (unsigned n = 1; n <= sizeof(kinds); n++) {
		struct frame f = frame(ETH_TYPE_IP6);

		ip6(&f, kinds[0], PEER6, OUR6);
		for (unsigned i = 0; i < n; i++)
			extension(&f, i + 1 < n ? kinds[i + 1] : TCP, i % 2 ? 16 : 8);
		ports(&f, 40000, SMTP);
		expect(&f, n <= 4 ? TAKEN : PASSED); /* more than the network layer takes */
	}
}

static void drops_first_fragments_over_ipv6(void **state)
{
	static const struct {
		uint16_t offset_and_more, port;
		enum verdict verdict;
	} cases[] = {
		{1, SMTP, FRAGMENT},
		{1, 22, PASSED},
		{0, SMTP, TAKEN}, /* atomic: the whole packet (RFC 6946) */
		{8, SMTP, PASSED},
		{9, SMTP, PASSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f = frame(ETH_TYPE_IP6);

		ip6(&f, 44, PEER6, OUR6);
		fragment6(&f, TCP, cases[i].offset_and_more);
		ports(&f, 40000, cases[i].port);
		expect(&f, cases[i].verdict);
	}
}

static void takes_icmp6_errors_about_our_flows(void **state)
{
	static const struct {
		uint8_t type;
		const char *src;
		uint16_t port;
		enum verdict verdict;
	} cases[] = {
		{1, OUR6, SMTP, TAKEN_ICMP},
		{2, OUR6, SMTP, TAKEN_ICMP},
		{3, OUR6, SMTP, TAKEN_ICMP},
		{4, OUR6, SMTP, TAKEN_ICMP},
		{2, OUR6, 22, PASSED},
		{2, PEER6, SMTP, PASSED},
		{128, OUR6, SMTP, PASSED},
		{135, OUR6, SMTP, PASSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f = frame(ETH_TYPE_IP6);

		ip6(&f, ICMP6, PEER6, OUR6);
		icmp(&f, cases[i].type);
		ip6(&f, TCP, cases[i].src, PEER6);
		ports(&f, cases[i].port, 40000);
		expect(&f, cases[i].verdict);
	}
}

/* --- loading ------------------------------------------------------------------------------------
 */

static void refuses_more_than_the_program_has_room_for(void **state)
{
	struct ip_cidr many[STEER_MAX_ADDRESSES + 1];
	uint16_t all_ports[STEER_MAX_PORTS + 1] = {0};
	struct port_config config = {.addresses = many,
		.n_addresses = STEER_MAX_ADDRESSES + 1,
		.ports = all_ports,
		.n_ports = 1};
	struct port_xsk_steer other;
	static const char *const families[] = {OUR4, OUR6};

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		for (unsigned i = 0; i <= STEER_MAX_ADDRESSES; i++)
			many[i].addr = address(families[f]);
		assert_int_equal(port_xsk_steer_load(&other, &config), -E2BIG);
		port_xsk_steer_fini(&other);
	}
	config.n_addresses = 1;
	config.n_ports = STEER_MAX_PORTS + 1;
	assert_int_equal(port_xsk_steer_load(&other, &config), -E2BIG);
	port_xsk_steer_fini(&other);
}

static int load(void **state)
{
	struct ip_cidr ours[] = {{address(OUR4), 0}, {address(ALSO4), 0}, {address(OUR6), 0}};
	static const uint16_t our_ports[] = {SMTP, SMTPS};
	struct port_config config = {
		.addresses = ours, .n_addresses = 3, .ports = our_ports, .n_ports = 2};

	(void)state;
	return port_xsk_steer_load(&steer, &config);
}

static int unload(void **state)
{
	(void)state;
	port_xsk_steer_fini(&steer);
	port_xsk_steer_fini(&steer); /* does no harm */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_tcp_to_our_address_and_port),
		cmocka_unit_test(passes_what_is_not_ours),
		cmocka_unit_test(takes_tcp_behind_ip_options),
		cmocka_unit_test(drops_first_fragments_for_our_ports_and_no_others),
		cmocka_unit_test(passes_frames_with_a_vlan_tag),
		cmocka_unit_test(takes_icmp_errors_about_our_flows),
		cmocka_unit_test(takes_tcp_over_ipv6),
		cmocka_unit_test(takes_tcp_behind_extension_headers),
		cmocka_unit_test(drops_first_fragments_over_ipv6),
		cmocka_unit_test(takes_icmp6_errors_about_our_flows),
		cmocka_unit_test(refuses_more_than_the_program_has_room_for),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, load, unload);
}
