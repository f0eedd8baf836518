/* The time that the stack is told: the true one, moved ahead, or standing still. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct test_clock {
	uint64_t ahead_us; /* of the true clock */
	bool held;
	uint64_t held_us; /* the time while it stands */
};

uint64_t test_clock_us(const struct test_clock *clock);
/* Moves it ahead to a time (it never goes back); it goes on from there, or stands there. */
void test_clock_set(struct test_clock *clock, uint64_t us);
void test_clock_hold(struct test_clock *clock);
void test_clock_run(struct test_clock *clock);
