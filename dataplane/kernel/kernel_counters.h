/* What the listeners on the kernel's TCP count. */
#pragma once

#include "base/counters.h"

#define KERNEL_COUNTERS(X)                                                                         \
	X(KERNEL_ACCEPTED, "kernel_accepted", "connections taken from the kernel's listeners")     \
	X(KERNEL_FULL, "kernel_full", "connections closed at once: no room for one more")          \
	X(KERNEL_SHORT, "kernel_short", "times that accepting paused: no descriptor or memory")

COUNTERS_DECLARE(kernel, KERNEL_COUNTERS)
