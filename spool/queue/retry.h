/* When a mail is tried again: back-off that doubles, with jitter. */
#pragma once

#include <stdint.h>

/* The wait is shortened by up to this part, so that mails deferred together do not return so. */
#define RETRY_JITTER_PART 4u

struct retry_policy {
	uint64_t min_us, max_us;
};

/*
 * The wait after the attempt with that number (from 1), with `random` any 64 bits: min, doubled
 * with each attempt up to max, less jitter.
 */
uint64_t retry_wait_us(const struct retry_policy *policy, unsigned attempt, uint64_t random);
