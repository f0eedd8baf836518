#include "dataplane/tcp/tcp_send_buffer_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static uint8_t octet_at(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void any_range_can_be_read_while_octets_come_and_go(void **state)
{
	struct tcp_send_buffer b = {0};
	uint8_t buf[10000];
	uint64_t head = 0, tail = 0, x = 42;
	struct slab blocks;

	(void)state;
	assert_int_equal(slab_init(&blocks, sizeof(struct tcp_send_block), 16), 0);
	for (int i = 0; i < 20000; i++) {
		uint32_t n = (uint32_t)(next_random(&x) % sizeof(buf)) >> (next_random(&x) % 12);
		uint32_t at;

		for (uint32_t k = 0; k < n; k++)
			buf[k] = octet_at(tail + k);
		tail += tcp_send_buffer_append(&b, &blocks, bytes_of(buf, n));
		assert_int_equal(b.len, tail - head);
		if (b.len > 0) {
			at = (uint32_t)(next_random(&x) % b.len);
			n = b.len - at < sizeof(buf) ? b.len - at : (uint32_t)sizeof(buf);
			tcp_send_buffer_read(&b, at, n, buf);
			for (uint32_t k = 0; k < n; k++)
				assert_int_equal(buf[k], octet_at(head + at + k));
			n = (uint32_t)(next_random(&x) % (b.len + 1));
			tcp_send_buffer_drop(&b, &blocks, n);
			head += n;
		}
	}
	tcp_send_buffer_clear(&b, &blocks);
	assert_int_equal(blocks.in_use, 0);
	slab_fini(&blocks);
}

static void takes_as_much_as_there_are_blocks(void **state)
{
	static uint8_t big[40000];
	struct tcp_send_buffer b = {0};
	struct slab blocks;
	uint32_t taken;

	(void)state;
	assert_int_equal(slab_init(&blocks, sizeof(struct tcp_send_block), 2), 0);
	taken = tcp_send_buffer_append(&b, &blocks, bytes_of(big, sizeof(big)));
	assert_in_range(taken, 2 * TCP_SEND_BLOCK_ROOM, 2 * TCP_SEND_BLOCK_OCTETS);
	assert_int_equal(tcp_send_buffer_append(&b, &blocks, bytes_of(big, 1)), 0);
	assert_int_equal(tcp_send_buffer_drop(&b, &blocks, taken), 2);
	assert_int_equal(tcp_send_buffer_append(&b, &blocks, bytes_of(big, 1)), 1);
	tcp_send_buffer_clear(&b, &blocks);
	slab_fini(&blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_range_can_be_read_while_octets_come_and_go),
		cmocka_unit_test(takes_as_much_as_there_are_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
