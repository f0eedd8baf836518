/* The clocks. Only thread mains read them; everything below takes time as an argument. */
#pragma once

#include <stdint.h>

/* CLOCK_MONOTONIC in microseconds; never goes back, counts from boot. */
uint64_t clock_mono_us(void);
/* CLOCK_REALTIME in microseconds since 1970 (UTC); may step. */
uint64_t clock_unix_us(void);

/*
 * clock_mono_us() for poll loops, one a thread: reads the CPU's time-stamp counter where it runs at
 * a constant rate, and the true clock again every CLOCK_FAST_RESYNC_US. Never goes back, and stays
 * within about 10 us of clock_mono_us().
 */
#define CLOCK_FAST_RESYNC_US 10000u

struct clock_fast {
	uint64_t tsc_origin; /* when the clock was made: the rate is learnt from there on */
	uint64_t us_origin;
	uint64_t tsc_base; /* the last look at the true clock */
	uint64_t us_base;
	uint64_t tsc_resync; /* ticks from the base to the next look at the true clock; 0: no TSC */
	uint64_t us_per_tick_2_32; /* microseconds a tick, as a fraction of 2^32 */
	uint64_t last_us;
};

/* Takes about a millisecond to learn the rate. */
void clock_fast_init(struct clock_fast *c);
uint64_t clock_fast_us(struct clock_fast *c);
