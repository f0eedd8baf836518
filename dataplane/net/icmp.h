/* ICMP (RFC 792, 1122 §3.2.2) and ICMPv6 (RFC 4443) of a host: echo, and errors about our TCP. */
#pragma once

#include "dataplane/net/net_priv.h"

/* Owns the packet in every case; NET_ICMP with `icmp` filled, or NET_CONSUMED. */
enum net_verdict icmp_input(struct net *net, struct pkt *pkt, const struct net_rx *rx, bool v6,
	uint64_t now_us, struct net_icmp *icmp);
