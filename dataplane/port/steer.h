/*
 * What the XDP program and its loader agree on. Both compile it, and one of them has no libc.
 */
#pragma once

#include <linux/types.h>

#define STEER_MAX_ADDRESSES 8 /* of each family */
#define STEER_MAX_PORTS     16
#define STEER_MAX_QUEUES    64

/* What is ours; in network order. Written once, before the program is loaded. */
struct steer_config {
	__u32 n_addresses4, n_addresses6, n_ports;
	__u32 addresses4[STEER_MAX_ADDRESSES];
	__u32 addresses6[STEER_MAX_ADDRESSES][4];
	__u16 ports[STEER_MAX_PORTS];
};

/* What the program counts: identifier, name in the metrics. */
#define STEER_STATS(X)                                                                             \
	X(STEER_FRAGMENTS, "xdp_fragments") /* first fragments for our ports, dropped */           \
	X(STEER_UNSERVED, "xdp_unserved")   /* ours, dropped: no socket on that queue */           \
	X(STEER_ICMP, "xdp_icmp")           /* ICMP errors about our flows, taken */

#define STEER_STAT_ENUM_(id, name) id,
enum steer_stat { STEER_STATS(STEER_STAT_ENUM_) STEER_STAT_COUNT };
