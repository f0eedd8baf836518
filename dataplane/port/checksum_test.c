#include "dataplane/port/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t random_state = 0x706f737465726e01;

static uint32_t next_random(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 32);
}

/* RFC 1071 §4.1 by the letter. */
static uint16_t plain(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	uint16_t host;

	for (; len > 1; p += 2, len -= 2) {
		sum += (uint32_t)(p[0] << 8 | p[1]);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len)
		sum += (uint32_t)p[0] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	host = (uint16_t)~sum;
	return (uint16_t)(host >> 8 | host << 8);
}

static void equals_the_plain_loop_at_every_length_and_alignment(void **state)
{
	uint8_t buf[1700];

	(void)state;
	for (unsigned round = 0; round < 4000; round++) {
		size_t at = next_random() % 16, len = next_random() % (sizeof(buf) - 16);

		for (size_t i = 0; i < len; i++)
			buf[at + i] = round % 3 ? (uint8_t)next_random() : 0xff;
		assert_int_equal(checksum(buf + at, len), plain(buf + at, len));
	}
}

static void pieces_of_even_length_sum_like_the_whole(void **state)
{
	uint8_t buf[512];

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)next_random();
	for (size_t cut = 0; cut < sizeof(buf); cut += 2) {
		uint64_t sum = checksum_add(0, buf, cut);

		sum = checksum_add(sum, buf + cut, sizeof(buf) - cut - 1);
		assert_int_equal(checksum_finish(sum), plain(buf, sizeof(buf) - 1));
	}
}

static void data_with_its_checksum_sums_to_zero(void **state)
{
	uint8_t buf[64];

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)next_random();
		checksum_store(buf + 16, 0);
		checksum_store(buf + 16, checksum(buf, sizeof(buf)));
		assert_int_equal(checksum(buf, sizeof(buf)), 0);
	}
}

static void pseudo_headers_are_those_of_the_rfcs(void **state)
{
	struct ip_addr a = ip_addr_v4(0xc0000201), b = ip_addr_v4(0xc6336402);
	const uint8_t v4[] = {192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0x05, 0xb4};
	uint8_t six[40] = {
		0x20, 0x01, 0x0d, 0xb8, [15] = 1, [16] = 0x20, 0x01, 0x0d, 0xb8, [31] = 2};

	(void)state;
	assert_int_equal(checksum_finish(checksum_pseudo(&a, &b, 6, 1460)), plain(v4, sizeof(v4)));

	a = ip_addr_v6(six);
	b = ip_addr_v6(six + 16);
	six[34] = 0x05;
	six[35] = 0xb4;
	six[39] = 58;
	assert_int_equal(
		checksum_finish(checksum_pseudo(&a, &b, 58, 1460)), plain(six, sizeof(six)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_the_plain_loop_at_every_length_and_alignment),
		cmocka_unit_test(pieces_of_even_length_sum_like_the_whole),
		cmocka_unit_test(data_with_its_checksum_sums_to_zero),
		cmocka_unit_test(pseudo_headers_are_those_of_the_rfcs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
