/* The scoreboard against a model: an array that says which octets the peer holds. */
#include "dataplane/tcp/tcp_scoreboard_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SPACE 1000u

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static uint32_t count_held(const bool *held, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++)
		n += held[i];
	return n;
}

static void check_hole(const struct tcp_scoreboard *s, uint32_t base, const bool *held,
	uint32_t from, uint32_t limit)
{
	struct tcp_range hole;
	bool any = tcp_scoreboard_hole(s, base + from, base + limit, &hole);

	while (from < limit && held[from])
		from++;
	assert_int_equal(any, from < limit);
	if (!any)
		return;
	assert_int_equal(hole.start - base, from);
	while (from < limit && !held[from])
		from++;
	assert_int_equal(hole.end - base, from);
}

static void agrees_with_the_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 500; seed++) {
		uint32_t base = seed % 3 == 0 ? 0u - SPACE / 2 : (uint32_t)(seed * 0x9e3779b9);
		bool held[SPACE] = {false};
		struct tcp_scoreboard s;
		uint64_t x = seed;
		uint32_t una = 0;

		tcp_scoreboard_init(&s);
		for (int i = 0; i < 25; i++) {
			uint32_t from = una + (uint32_t)(next_random(&x) % (SPACE - una));
			uint32_t to = from + 1 + (uint32_t)(next_random(&x) % (SPACE - from));
			bool news = count_held(held, from, to) < to - from;

			assert_int_equal(
				tcp_scoreboard_add(&s, (struct tcp_range){base + from, base + to}),
				news);
			memset(held + from, true, to - from);
			if (i % 8 == 7) {
				una += (uint32_t)(next_random(&x) % (SPACE - una));
				tcp_scoreboard_advance(&s, base + una);
				memset(held, false, una);
			}
			assert_int_equal(s.octets, count_held(held, 0, SPACE));
			from = (uint32_t)(next_random(&x) % SPACE);
			to = from + (uint32_t)(next_random(&x) % (SPACE - from));
			assert_int_equal(tcp_scoreboard_within(&s, base + from, base + to),
				count_held(held, from, to));
			check_hole(&s, base, held, from, to);
		}
	}
}

static void three_ranges_or_three_segments_above_make_a_loss(void **state)
{
	struct tcp_scoreboard s;

	(void)state;
	tcp_scoreboard_init(&s);
	assert_int_equal(tcp_scoreboard_lost_edge(&s, 100, 1000), 100);
	tcp_scoreboard_add(&s, (struct tcp_range){1100, 3100});
	assert_int_equal(tcp_scoreboard_lost_edge(&s, 100, 1000), 100);
	tcp_scoreboard_add(&s, (struct tcp_range){3100, 3101});
	assert_int_equal(tcp_scoreboard_lost_edge(&s, 100, 1000), 1100);
	tcp_scoreboard_init(&s);
	tcp_scoreboard_add(&s, (struct tcp_range){200, 210});
	tcp_scoreboard_add(&s, (struct tcp_range){300, 310});
	assert_int_equal(tcp_scoreboard_lost_edge(&s, 100, 1000), 100);
	tcp_scoreboard_add(&s, (struct tcp_range){400, 410});
	assert_int_equal(tcp_scoreboard_lost_edge(&s, 100, 1000), 200);
}

static void a_full_board_leaves_out_what_it_cannot_join(void **state)
{
	struct tcp_scoreboard s;

	(void)state;
	tcp_scoreboard_init(&s);
	for (uint32_t i = 0; i < TCP_SCOREBOARD_RANGES; i++)
		assert_true(tcp_scoreboard_add(&s, (struct tcp_range){i * 10, i * 10 + 5}));
	assert_false(tcp_scoreboard_add(&s, (struct tcp_range){9000, 9001}));
	assert_int_equal(s.octets, 5 * TCP_SCOREBOARD_RANGES);
	assert_true(tcp_scoreboard_add(&s, (struct tcp_range){5, 10}));
	assert_int_equal(s.count, TCP_SCOREBOARD_RANGES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(three_ranges_or_three_segments_above_make_a_loss),
		cmocka_unit_test(a_full_board_leaves_out_what_it_cannot_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
