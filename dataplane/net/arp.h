/* ARP on Ethernet (RFC 826, RFC 5227 for announcements). */
#pragma once

#include "dataplane/net/net_priv.h"

/* A received ARP frame. Owns the packet. */
void arp_input(struct net *net, struct pkt *pkt, uint64_t now_us);

/* Ask who has `target`; at `mac`, or of all where it is NULL. */
void arp_request(struct net *net, const struct ip_addr *target, const struct ip_addr *local,
	const uint8_t *mac);

/* Tell all who has one of our addresses. */
void arp_announce(struct net *net, const struct ip_addr *local);
