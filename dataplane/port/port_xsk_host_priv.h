/* What af_xdp-shared must know of an interface that stays the kernel's, and when it is refused. */
#pragma once

#include "dataplane/port/port.h"

struct port_xsk_host {
	unsigned ifindex;
	uint8_t mac[6];
	uint32_t mtu;
	unsigned rx_queues;
};

/* 0, or -errno with what to do in `why`. */
int port_xsk_host_check(const char *interface, const struct port_config *config,
	struct port_xsk_host *host, struct text *why);
