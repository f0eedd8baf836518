#pragma once

#include "gateway/control/config.h"

#include <stdio.h>

/*
 * What the daemon may take of memory at most under a configuration: a line for each bound, and the
 * sum. Memory is reserved at start and taken as it is used.
 */
struct memory_plan_line {
	const char *what;
	const char *key; /* that sets it */
	uint64_t octets;
};

#define MEMORY_PLAN_LINES 20

/* Returns how many lines there are. */
unsigned memory_plan(const struct config *config, struct memory_plan_line lines[MEMORY_PLAN_LINES]);
void memory_plan_print(const struct config *config, FILE *out);
