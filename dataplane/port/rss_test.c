#include "dataplane/port/rss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The key and the cases that NIC vendors publish for verifying an RSS implementation. */
static const uint8_t known_key[RSS_KEY_LEN] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41,
	0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4,
	0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01,
	0xfa};

static const struct {
	const char *src, *dst;
	uint16_t src_port, dst_port;
	uint32_t hash;
} cases[] = {
	{"66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178},
	{"199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea},
	{"24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a},
	{"38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f},
	{"153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2},
	{"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d},
	{"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf},
	{"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024,
		0x02d1feef},
};

static void hashes_the_published_cases(void **state)
{
	static struct rss rss;

	(void)state;
	rss_init(&rss, known_key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_addr src, dst;

		assert_int_equal(ip_addr_parse(bytes_str(cases[i].src), &src), 0);
		assert_int_equal(ip_addr_parse(bytes_str(cases[i].dst), &dst), 0);
		assert_int_equal(rss_hash(&rss, &src, cases[i].src_port, &dst, cases[i].dst_port),
			cases[i].hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_the_published_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
