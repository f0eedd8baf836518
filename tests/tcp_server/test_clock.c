#include "tests/tcp_server/test_clock.h"

#include "base/clock.h"

uint64_t test_clock_us(const struct test_clock *clock)
{
	return clock->held ? clock->held_us : clock_mono_us() + clock->ahead_us;
}

void test_clock_set(struct test_clock *clock, uint64_t us)
{
	uint64_t now_us = test_clock_us(clock);

	if (us <= now_us)
		return;
	if (clock->held)
		clock->held_us = us;
	else
		clock->ahead_us += us - now_us;
}

void test_clock_hold(struct test_clock *clock)
{
	clock->held_us = test_clock_us(clock);
	clock->held = true;
}

void test_clock_run(struct test_clock *clock)
{
	if (!clock->held)
		return;
	clock->held = false;
	clock->ahead_us = clock->held_us - clock_mono_us();
}
