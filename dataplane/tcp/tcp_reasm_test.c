/* Ranges out of order against a model: an array that says which octets are held. */
#include "dataplane/tcp/tcp_mock_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SPACE 4000u

static unsigned packets;

static void pool_free(struct pkt_pool *pool, struct pkt *pkt)
{
	(void)pool;
	packets--;
	free(pkt);
}

static struct pkt_pool pool = {NULL, pool_free};

static uint8_t octet_at(uint32_t seq)
{
	return (uint8_t)(seq * 7 + (seq >> 8));
}

/* A packet that holds the stream's octets from `seq`, with some room behind. */
static struct pkt *packet(uint32_t seq, uint16_t len, uint16_t room)
{
	struct pkt *pkt = calloc(1, sizeof(*pkt) + len + room);

	packets++;
	pkt->pool = &pool;
	pkt->data = (uint8_t *)(pkt + 1);
	pkt->len = len;
	pkt->tailroom = room;
	pkt->true_size = 2304;
	for (uint32_t i = 0; i < len; i++)
		pkt->data[i] = octet_at(seq + i);
	return pkt;
}

static void check_shape(const struct tcp_reasm *r, uint32_t base, const bool *held)
{
	uint32_t at = 0, true_size = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		const struct tcp_reasm_range *range = &r->ranges[i];
		uint32_t seq = range->start;

		for (; at < range->start - base; at++)
			assert_false(held[at]);
		for (struct pkt *pkt = range->head; pkt; pkt = pkt->next) {
			for (uint32_t k = 0; k < pkt->len; k++)
				assert_int_equal(pkt->data[k], octet_at(seq + k));
			seq += pkt->len;
			true_size += pkt->true_size;
			if (!pkt->next)
				assert_ptr_equal(range->tail, pkt);
		}
		assert_int_equal(seq, range->end);
		for (; at < range->end - base; at++)
			assert_true(held[at]);
		if (i + 1 < r->count)
			assert_true((int32_t)(r->ranges[i + 1].start - range->end) > 0);
	}
	assert_int_equal(true_size, r->true_size);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void any_order_of_segments_is_joined_as_the_model_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 300; seed++) {
		uint32_t base = (uint32_t)(seed * 0x9e3779b9); /* also across the wrap */
		bool held[SPACE] = {false};
		struct tcp_reasm r;
		uint64_t x = seed;
		unsigned dropped = 0;

		if (seed % 5 == 0)
			base = 0u - SPACE / 2;
		tcp_reasm_init(&r);
		for (int i = 0; i < 40; i++) {
			uint32_t from = (uint32_t)(next_random(&x) % (SPACE - 1)) & ~7u;
			uint32_t len = 1 + (uint32_t)(next_random(&x) % 300);

			if (from + len > SPACE)
				len = SPACE - from;
			if (tcp_reasm_insert(&r, packet(base + from, (uint16_t)len, seed % 600),
				    base + from, &dropped) != TCP_REASM_FULL &&
				dropped == 0)
				memset(held + from, true, len);
			if (dropped > 0 || r.count == TCP_REASM_RANGES)
				break;
			check_shape(&r, base, held);
		}
		tcp_reasm_clear(&r);
		assert_int_equal(packets, 0);
	}
}

static void take_gives_the_range_at_that_number_only(void **state)
{
	struct pkt *head, *tail;
	struct tcp_reasm r;
	unsigned dropped = 0;
	uint32_t end;

	(void)state;
	tcp_reasm_init(&r);
	tcp_reasm_insert(&r, packet(100, 600, 0), 100, &dropped);
	tcp_reasm_insert(&r, packet(700, 600, 0), 700, &dropped);
	assert_null(tcp_reasm_take(&r, 99, &end, &tail));
	head = tcp_reasm_take(&r, 100, &end, &tail);
	assert_int_equal(end, 1300);
	assert_ptr_equal(head->next, tail);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.true_size, 0);
	pkt_free(tail);
	pkt_free(head);
}

static void latest_range_is_reported_first(void **state)
{
	static const uint32_t starts[] = {500, 100, 900, 300};
	struct tcp_range out[4];
	struct tcp_reasm r;
	unsigned dropped = 0;

	(void)state;
	tcp_reasm_init(&r);
	for (unsigned i = 0; i < 4; i++)
		tcp_reasm_insert(&r, packet(starts[i], 10, 0), starts[i], &dropped);
	assert_int_equal(tcp_reasm_sack(&r, out, 3), 3);
	assert_int_equal(out[0].start, 300);
	assert_int_equal(out[1].start, 900);
	assert_int_equal(out[2].start, 100);
	tcp_reasm_insert(&r, packet(510, 10, 0), 510, &dropped);
	assert_int_equal(tcp_reasm_sack(&r, out, 3), 3);
	assert_int_equal(out[0].start, 500);
	assert_int_equal(out[0].end, 520);
	assert_int_equal(out[1].start, 300);
	tcp_reasm_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_segments_is_joined_as_the_model_says),
		cmocka_unit_test(take_gives_the_range_at_that_number_only),
		cmocka_unit_test(latest_range_is_reported_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
