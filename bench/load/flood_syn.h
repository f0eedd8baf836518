/* One SYN of a flood: from where it seems to come, and its octets. */
#pragma once

#include "base/ip_addr.h"
#include "dataplane/tcp/tcp_wire.h"

struct flood_syn {
	uint64_t random; /* state; any value */
	struct ip_cidr from;
	uint16_t port; /* of the server */
};

/* A source address inside the network, and a TCP header without checksum; returns its octets. */
unsigned flood_syn_next(
	struct flood_syn *flood, struct ip_addr *source, uint8_t header[TCP_WIRE_HEADER_MAX]);

/*
 * A flood may only meet what this machine made for the purpose: 0 in a network namespace that
 * `ip netns` made, else -EPERM with the reason.
 */
int flood_syn_allowed(struct text *why);
