#include "base/clock.h"

#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define CALIBRATION_US 1000u

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_unix_us(void)
{
	return read_us(CLOCK_REALTIME);
}

#if defined(__x86_64__)
static uint64_t read_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

/* CPUID 0x80000007, EDX bit 8: the counter runs at one rate in all power states. */
static int has_invariant_tsc(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8)) != 0;
}
#else
static uint64_t read_tsc(void)
{
	return 0;
}

static int has_invariant_tsc(void)
{
	return 0;
}
#endif

/* A reading of both clocks at one moment: of a few tries, the one least disturbed. */
#define PAIR_TRIES 4u

static void read_pair(uint64_t *tsc, uint64_t *us)
{
	uint64_t best = UINT64_MAX;

	*tsc = *us = 0;
	for (unsigned i = 0; i < PAIR_TRIES; i++) {
		uint64_t before = read_tsc();
		uint64_t mono = clock_mono_us();
		uint64_t took = read_tsc() - before;

		if (took >= best)
			continue;
		best = took;
		*tsc = before + took / 2;
		*us = mono;
	}
}

/* Makes now the base, and learns the rate over all the time since the origin. */
static void resync(struct clock_fast *c)
{
	uint64_t us, tsc;

	read_pair(&tsc, &us);
	if (tsc > c->tsc_origin && us > c->us_origin) {
		unsigned __int128 passed = (unsigned __int128)(us - c->us_origin) << 32;

		c->us_per_tick_2_32 = (uint64_t)(passed / (tsc - c->tsc_origin));
	}
	c->tsc_resync = c->us_per_tick_2_32
				? ((uint64_t)CLOCK_FAST_RESYNC_US << 32) / c->us_per_tick_2_32
				: 0;
	c->tsc_base = tsc;
	c->us_base = us;
}

void clock_fast_init(struct clock_fast *c)
{
	memset(c, 0, sizeof(*c));
	if (!has_invariant_tsc())
		return;
	read_pair(&c->tsc_origin, &c->us_origin);
	while (clock_mono_us() < c->us_origin + CALIBRATION_US)
		;
	resync(c);
}

uint64_t clock_fast_us(struct clock_fast *c)
{
	uint64_t ticks, us;

	if (c->tsc_resync == 0)
		return clock_mono_us();
	ticks = read_tsc() - c->tsc_base;
	if (ticks >= c->tsc_resync) {
		resync(c);
		ticks = 0;
	}
	us = c->us_base + ((ticks * c->us_per_tick_2_32) >> 32);
	if (us > c->last_us)
		c->last_us = us;
	return c->last_us;
}
