#pragma once

#include "base/ip_addr.h"
#include "dataplane/pkt.h"
#include "dataplane/port/access.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The network layer of one lcore on one device: Ethernet, ARP, IPv4, IPv6, NDP and ICMP, as a
 * sans-I/O unit. Packets and a time go in; TCP segments come out to the caller, and packets to send
 * gather on a list. It never touches a port, a clock or the heap.
 */

#define NET_MAX_ADDRESSES 32

struct net_config {
	uint8_t mac[6];
	uint16_t mtu;
	bool tx_l4_csum; /* leave TCP checksums to the device */
	bool tx_ip4_csum;
	bool shared; /* no ARP or NDP: answer to the MAC a segment came from */
	/* Ours, with their host bits (unlike a network); what prefix_len covers is on link. */
	struct ip_cidr addresses[NET_MAX_ADDRESSES];
	unsigned n_addresses;
	struct ip_addr gateway4, gateway6; /* all zero: none */
	uint64_t hash_key[2];              /* random per boot */
	bool one_of_many; /* other lcores serve this device too: tell them by net_next_news() */
	bool silent;      /* ... and one of them announces the addresses */
};

enum net_verdict {
	NET_TCP,      /* a TCP segment for us: see struct net_segment; the caller owns the packet */
	NET_ICMP,     /* an ICMP error that quotes one of our TCP segments: see struct net_icmp */
	NET_CONSUMED, /* dealt with here (answered, or dropped and counted); the packet is gone */
};

/*
 * Where a TCP segment lies: pkt->l3 and pkt->l4 are set and pkt->len is cut to the IP length, so
 * octets from l4 to len are the segment, at least a TCP header. Its checksum has been verified and
 * is right.
 */
struct net_segment {
	struct ip_addr src, dst;
	uint8_t src_mac[6];
	uint8_t ecn; /* the two ECN bits */
};

enum net_icmp_kind {
	NET_ICMP_TOO_BIG,          /* fragmentation needed / packet too big: mtu is set */
	NET_ICMP_UNREACHABLE,      /* soft: net or host unreachable, time exceeded */
	NET_ICMP_PORT_UNREACHABLE, /* hard: port, protocol or administratively prohibited */
};

struct net_icmp {
	enum net_icmp_kind kind;
	uint32_t mtu;
	struct ip_addr local, peer; /* of the quoted segment, which we sent */
	uint16_t local_port, peer_port;
	uint32_t seq; /* of the quoted segment: to be in the window, or the error is forged */
};

/* Where a packet goes. */
struct net_route {
	struct ip_addr local, peer;
	uint8_t peer_mac[6]; /* used where the device is shared, and kept with the connection */
};

struct net;

/* Bytes needed for one, and its making in the caller's memory. */
size_t net_size(void);
void net_init(
	struct net *net, const struct net_config *config, struct pkt_pool *pool, uint64_t now_us);

/* Give back every packet it holds. */
void net_fini(struct net *net);

/* Take one received frame. `seg` or `icmp` is filled as the verdict says. */
enum net_verdict net_input(struct net *net, struct pkt *pkt, uint64_t now_us,
	struct net_segment *seg, struct net_icmp *icmp);

/*
 * Send a TCP segment: pkt->data is the TCP header, with headroom for IP and Ethernet before it.
 * Fills or marks checksums, finds the neighbour (holding a few packets while it asks) and puts the
 * frame on the transmit list. Owns the packet in every case.
 */
void net_output(struct net *net, struct pkt *pkt, const struct net_route *route, uint64_t now_us);

/* The MSS that a segment between these two may carry without IP options (RFC 9293 §3.7.1). */
uint16_t net_mss(const struct net *net, const struct ip_addr *peer);

bool net_is_local(const struct net *net, const struct ip_addr *addr);
/* The address of ours to use towards `peer`; false where there is none of its family. */
bool net_source_for(const struct net *net, const struct ip_addr *peer, struct ip_addr *local);

/*
 * Whether a connection to `peer` can be opened from here. 0; -ENETUNREACH: it is not on link and
 * there is no gateway, or it is ourselves; -EOPNOTSUPP: on a shared device we do not ask for
 * neighbours, and where several lcores serve one the answer may come to another.
 */
int net_can_open(const struct net *net, const struct ip_addr *peer);

/* Take up to `n` frames ready for the device; the caller owns them. */
unsigned net_take_tx(struct net *net, struct pkt **pkts, unsigned n);
/* Frames the device did not take: they go back to the head of the list. */
void net_untake_tx(struct net *net, struct pkt **pkts, unsigned n);

/*
 * From now on TCP from addresses that `table` denies is dropped unseen; NULL: none is. The table
 * stays until another was set. ICMP and neighbour discovery go on: path MTU and gateway need them.
 */
void net_set_access(struct net *net, const struct access_table *table);

/* Frames on the transmit list. */
unsigned net_tx_waiting(const struct net *net);
/* The device takes less than is sent: half of the list is for what connections have to say. */
bool net_tx_crowded(const struct net *net);

/* Neighbour time-outs and probes; returns the next time it wants to be called, UINT64_MAX if never.
 */
uint64_t net_timers(struct net *net, uint64_t now_us);

/*
 * What a received ARP or NDP packet said about a neighbour. A reply comes to one lcore, and another
 * may have asked, so where `one_of_many` each tells the others.
 */
struct net_news {
	struct ip_addr addr;
	uint8_t mac[6];
	bool has_mac, solicited, override, create; /* as struct neigh_news */
};

/* Take the next thing learned from the wire; false when there is no more. */
bool net_next_news(struct net *net, struct net_news *news);
/* Learn what another lcore was told. */
void net_hear(struct net *net, const struct net_news *news, uint64_t now_us);

struct counter_block;
/* The counters of this unit (net_counters.def), for the registry. */
const struct counter_block *net_counters(const struct net *net);
