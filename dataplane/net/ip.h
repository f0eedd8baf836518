/* IPv4 (RFC 791, 1122) and IPv6 (RFC 8200) headers: validation of what comes, writing of what goes.
 */
#pragma once

#include "dataplane/net/net_priv.h"

/* Extension headers that are stepped over, and their octets in all; more is not taken. */
#define IP_MAX_EXTENSIONS       4
#define IP_MAX_EXTENSION_OCTETS 256

/*
 * Validate a received packet whose Ethernet header ends at `l3`. True: `rx` is filled, pkt->l3 and
 * l4 are set and pkt->len is cut to what IP says. False: dropped and counted.
 */
bool ip_input(struct net *net, struct pkt *pkt, bool v6, struct net_rx *rx);

/*
 * Write the IP header before pkt->data (the upper layer's header, its checksum done or marked).
 * False: dropped and counted (over the MTU, no headroom).
 */
bool ip_write_header(struct net *net, struct pkt *pkt, uint8_t protocol, uint8_t hop_limit,
	const struct ip_addr *src, const struct ip_addr *dst);

/* The same, and send it where the route leads. Owns the packet. */
void ip_output(struct net *net, struct pkt *pkt, uint8_t protocol, const struct net_route *route,
	uint64_t now_us);

/* A neighbour or a gateway leads there. */
bool ip_has_route(const struct net *net, const struct ip_addr *peer);

/* The group that neighbour solicitations for an address go to (RFC 4291 §2.7.1), and a group's MAC.
 */
struct ip_addr ip_solicited_node(const struct ip_addr *addr);
void ip_group_mac(const struct ip_addr *group, uint8_t mac[ETH_ADDR_LEN]);
