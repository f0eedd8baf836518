/* Shared by the units of the network layer; nobody else includes it. */
#pragma once

#include "dataplane/net/neigh.h"
#include "dataplane/net/net.h"
#include "dataplane/net/net_counters.h"
#include "dataplane/net/net_rate.h"
#include "dataplane/wire.h"

/* Frames that wait for the device; past it the newest is dropped, as a full NIC queue would. */
#define NET_MAX_TX 4096

/* Packets a second, and at once. */
#define NET_ECHO_PER_S    1000
#define NET_ECHO_BURST    1000
#define NET_ERROR_PER_S   1000
#define NET_ERROR_BURST   200
#define NET_ANSWER_PER_S  1000
#define NET_ANSWER_BURST  200
#define NET_SOLICIT_PER_S 200
#define NET_SOLICIT_BURST 100

/* Our addresses are announced this often, in case a link or switch wakes up late. */
#define NET_ANNOUNCEMENTS    3
#define NET_ANNOUNCE_WAIT_US 1000000u

/* News for other lcores that may gather in one burst of packets. */
#define NET_MAX_NEWS 64

#define NET_HOP_LIMIT 64

struct net {
	struct net_config config;
	struct pkt_pool *pool;
	const struct access_table *access; /* NULL: everyone is let in */
	struct pkt *tx_head, *tx_tail;
	unsigned n_tx;
	unsigned announcements_left;
	uint64_t announce_us;
	struct net_rate echo, errors, answers, solicits;
	unsigned n_news, news_taken;
	struct net_news news[NET_MAX_NEWS];
	struct net_counters counters;
	struct neigh_cache neigh;
};

/* What the layers below learned of a received IP packet. */
struct net_rx {
	struct ip_addr src, dst;
	uint8_t src_mac[ETH_ADDR_LEN];
	bool l2_unicast; /* the frame was sent to our own MAC */
	uint8_t protocol;
	uint8_t hop_limit;
	uint8_t ecn;
};

static inline void net_count(struct net *net, enum net_counter id)
{
	counter_inc(&net->counters.v[id]);
}

/* Count and free; the verdict is for the caller to return. */
static inline enum net_verdict net_drop(struct net *net, struct pkt *pkt, enum net_counter why)
{
	net_count(net, why);
	pkt_free(pkt);
	return NET_CONSUMED;
}

/* Take n octets off the front (that are there), or put them before it (where there is headroom). */
static inline void net_pull(struct pkt *pkt, uint16_t n)
{
	pkt->data += n;
	pkt->len = (uint16_t)(pkt->len - n);
	pkt->headroom = (uint16_t)(pkt->headroom + n);
}

static inline void *net_push(struct pkt *pkt, uint16_t n)
{
	pkt->data -= n;
	pkt->len = (uint16_t)(pkt->len + n);
	pkt->headroom = (uint16_t)(pkt->headroom - n);
	return pkt->data;
}

/* Cut to `len` octets in all. */
static inline void net_cut(struct pkt *pkt, uint16_t len)
{
	pkt->tailroom = (uint16_t)(pkt->tailroom + (pkt->len - len));
	pkt->len = len;
}

static inline bool net_mac_is_group(const uint8_t mac[ETH_ADDR_LEN])
{
	return mac[0] & 1;
}

/* All zero: the IPv6 unspecified address, or "none" in the configuration. */
static inline bool net_is_unspecified(const struct ip_addr *a)
{
	static const struct ip_addr zero;

	return ip_addr_eq(a, &zero);
}

/* A link-layer address that another station can have. */
static inline bool net_mac_is_other(const struct net *net, const uint8_t mac[ETH_ADDR_LEN])
{
	static const uint8_t none[ETH_ADDR_LEN];

	return !net_mac_is_group(mac) && memcmp(mac, none, ETH_ADDR_LEN) != 0 &&
	       memcmp(mac, net->config.mac, ETH_ADDR_LEN) != 0;
}

/* A packet of `len` zero octets to fill; NULL, counted, where the pool is empty. */
struct pkt *net_alloc(struct net *net, uint16_t len);
/* Put an Ethernet header before the packet and the frame on the transmit list. */
void net_frame(struct net *net, struct pkt *pkt, const uint8_t dst[ETH_ADDR_LEN], uint16_t type);
/* Learn what the wire says about a neighbour, and keep it to tell other lcores. */
void net_learn(struct net *net, const struct ip_addr *addr, const struct neigh_news *news,
	uint64_t now_us);
/* True if the address lies in one of the prefixes configured on this device, or is link-local. */
bool net_on_link(const struct net *net, const struct ip_addr *addr);
