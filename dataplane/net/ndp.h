/* Neighbour discovery for hosts (RFC 4861): solicitations and advertisements. */
#pragma once

#include "dataplane/net/net_priv.h"

/* A received ICMPv6 packet of type 133 to 137, its checksum right. Owns the packet. */
void ndp_input(struct net *net, struct pkt *pkt, const struct net_rx *rx, uint64_t now_us);

/* Ask who has `target`; at `mac`, or of its group where it is NULL. */
void ndp_solicit(struct net *net, const struct ip_addr *target, const struct ip_addr *local,
	const uint8_t *mac);

/* Tell all nodes who has one of our addresses. */
void ndp_announce(struct net *net, const struct ip_addr *local);
