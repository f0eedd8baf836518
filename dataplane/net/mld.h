/*
 * Membership of the solicited-node groups of our addresses (RFC 3810). A switch that snoops passes
 * neighbour solicitations only to members, so without it nobody behind one would find us.
 */
#pragma once

#include "dataplane/net/net_priv.h"

/* Report all our groups: at start, and when a router asks. */
void mld_report(struct net *net);

/* A received query, its checksum right. Owns the packet. */
void mld_input(struct net *net, struct pkt *pkt, const struct net_rx *rx, uint64_t now_us);
