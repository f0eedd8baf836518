/* What an io lcore counts beside its network layer and its TCP. */
#pragma once

#include "base/counters.h"

#define LCORE_COUNTERS(X)                                                                          \
	X(LCORE_PASSED, "lcore_passed", "packets passed to the lcore whose flow they are")         \
	X(LCORE_TAKEN, "lcore_taken", "packets taken from other lcores")                           \
	X(LCORE_RING_FULL, "lcore_ring_full", "packets dropped: ring to another lcore full")       \
	X(LCORE_NEWS_LOST, "lcore_news_lost", "neighbours not told to another lcore: ring full")   \
	X(LCORE_CAPTURE_FULL, "capture_full", "packets not captured: ring full")                   \
	X(LCORE_TX_BUSY, "lcore_tx_busy", "rounds in which the device did not take all frames")

COUNTERS_DECLARE(lcore, LCORE_COUNTERS)
