#include "base/ip_addr.h"

#include <errno.h>

#include "base/testing.h"

static void parses_and_prints_canonically(void **state)
{
	static const char *const cases[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:DB8::A", "2001:db8::a"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"0:0:0:0:0:0:0:0", "::"},
		{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
		{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
		{"fe80::0001", "fe80::1"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::FFFF:c000:0201", "192.0.2.1"},
		{"::192.0.2.1", "::c000:201"},
		{"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[IP_ADDR_TEXT_MAX];
		struct ip_addr a;

		assert_int_equal(ip_addr_parse(bytes_str(cases[i][0]), &a), 0);
		assert_int_equal(ip_addr_format(&a, text), strlen(cases[i][1]));
		assert_string_equal(text, cases[i][1]);
	}
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const cases[] = {"", ".", ":", ":::", "1", "1.2.3", "1.2.3.4.5",
		"1.2.3.256", "01.2.3.4", "1.2.3.04", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4.", "1..2.3",
		"0x1.2.3.4", "1.2.3.-4", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8", ":1::2", "1::2::3", "1:::2",
		"::1:", "12345::", "g::", "fe80::1%eth0", "[::1]", "1:2:3:4::5:6:7:8",
		"1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "::1.2.3", "::1.2.3.4:5", "::1.2.3.04",
		"::1.2.3.256", "1:2:3:4:5:6:7:8::", "::/0", "1.2.3.4/8"};
	struct ip_addr before = ip_addr_v4(0x01020304), a = before;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ip_addr_parse(bytes_str(cases[i]), &a), -EINVAL);
		assert_true(ip_addr_eq(&a, &before));
	}
	assert_int_equal(ip_addr_parse(BYTES("1.2.3.4\0"), &a), -EINVAL);
	assert_int_equal(ip_addr_parse((struct bytes){NULL, 0}, &a), -EINVAL);
	assert_int_equal(ip_addr_parse_v4(BYTES("::1.2.3.4"), &a), -EINVAL);
	assert_int_equal(ip_addr_parse_v6(BYTES("1.2.3.4"), &a), -EINVAL);
}

static void mapped_and_plain_ipv4_are_one_address(void **state)
{
	struct ip_addr plain = ip_addr_v4(0xc0000201), mapped, other;

	(void)state;
	assert_int_equal(ip_addr_parse(BYTES("::ffff:192.0.2.1"), &mapped), 0);
	assert_true(ip_addr_eq(&plain, &mapped));
	assert_true(ip_addr_is_v4(&mapped));
	assert_int_equal(ip_addr_v4_of(&mapped), 0xc0000201);
	assert_int_equal(ip_addr_parse(BYTES("::1:192.0.2.1"), &other), 0);
	assert_false(ip_addr_is_v4(&other));
	assert_true(ip_addr_cmp(&plain, &other) > 0);
	assert_true(ip_addr_eq(&(struct ip_addr){{0}}, &(struct ip_addr){{0}}));
}

static void knows_loopback(void **state)
{
	struct ip_addr a = ip_addr_v4(0x7f010203), b, c = ip_addr_v4(0x80000001);

	(void)state;
	assert_int_equal(ip_addr_parse(BYTES("::1"), &b), 0);
	assert_true(ip_addr_is_loopback(&a));
	assert_true(ip_addr_is_loopback(&b));
	assert_false(ip_addr_is_loopback(&c));
}

static void networks_hold_their_addresses_only(void **state)
{
	static const struct {
		const char *net, *addr;
		bool match;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "192.0.2.1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1/128", "2001:db8::1", true},
		{"::ffff:192.0.2.0/120", "192.0.2.200", true},
		{"::ffff:0.0.0.0/96", "8.8.8.8", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_cidr net;
		struct ip_addr a;

		assert_int_equal(ip_cidr_parse(bytes_str(cases[i].net), true, &net), 0);
		assert_int_equal(ip_addr_parse(bytes_str(cases[i].addr), &a), 0);
		assert_int_equal(ip_cidr_match(&net, &a), cases[i].match);
	}
}

static void refuses_what_is_no_network(void **state)
{
	static const char *const cases[] = {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129", "::/00", "10.0.0.0/ 8",
		"::ffff:10.0.0.0/8", "10.0.0.0/99999999999999999999"};
	struct ip_cidr net;
	char text[IP_CIDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ip_cidr_parse(bytes_str(cases[i]), false, &net), -EINVAL);
	assert_int_equal(ip_cidr_parse(BYTES("10.1.2.3/8"), true, &net), -EINVAL);
	assert_int_equal(ip_cidr_parse(BYTES("10.1.2.3/8"), false, &net), 0);
	assert_int_equal(ip_cidr_format(&net, text), 10);
	assert_string_equal(text, "10.0.0.0/8");
	assert_int_equal(ip_cidr_parse(BYTES("2001:db8::1"), true, &net), 0);
	ip_cidr_format(&net, text);
	assert_string_equal(text, "2001:db8::1/128");
}

static void every_address_survives_its_text(void **state)
{
	uint64_t seed = test_seed(1);

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[IP_ADDR_TEXT_MAX];
		struct ip_addr a, b;
		uint64_t zeros = test_random(&seed);

		for (unsigned g = 0; g < 16; g++)
			a.octets[g] = zeros >> (g / 2) & 1 ? 0 : (uint8_t)test_random(&seed);
		ip_addr_format(&a, text);
		assert_int_equal(ip_addr_parse(bytes_str(text), &b), 0);
		assert_true(ip_addr_eq(&a, &b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_prints_canonically),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(mapped_and_plain_ipv4_are_one_address),
		cmocka_unit_test(knows_loopback),
		cmocka_unit_test(networks_hold_their_addresses_only),
		cmocka_unit_test(refuses_what_is_no_network),
		cmocka_unit_test(every_address_survives_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
