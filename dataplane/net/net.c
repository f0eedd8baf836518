#include "dataplane/net/arp.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/ip.h"
#include "dataplane/net/mld.h"
#include "dataplane/net/ndp.h"
#include "dataplane/net/net_priv.h"
#include "dataplane/port/checksum.h"

#include <errno.h>

COUNTERS_DEFINE(net, NET_COUNTERS)

/* What goes before the payload of a segment without options. */
#define TCP_OVER_IP4 (IP4_HEADER_LEN + TCP_HEADER_LEN)
#define TCP_OVER_IP6 (IP6_HEADER_LEN + TCP_HEADER_LEN)

static void on_solicit(void *owner, const struct ip_addr *target, const struct ip_addr *local,
	const uint8_t *mac, bool pinned, uint64_t now_us)
{
	struct net *net = owner;

	/* Strangers can make us ask for any on-link address, but not at the cost of the gateway. */
	if (!pinned && !net_rate_take(&net->solicits, now_us)) {
		net_count(net, NET_LIMIT_SOLICIT);
		return;
	}
	net_count(net, NET_SOLICITS);
	if (ip_addr_is_v4(target))
		arp_request(net, target, local, mac);
	else
		ndp_solicit(net, target, local, mac);
}

static void on_send(void *owner, struct pkt *pkt, const uint8_t mac[6])
{
	net_frame(owner, pkt, mac, pkt->data[0] >> 4 == 4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
}

static void on_drop(void *owner, struct pkt *pkt, enum neigh_drop why)
{
	static const enum net_counter counters[] = {
		[NEIGH_DROP_FULL] = NET_NEIGH_FULL,
		[NEIGH_DROP_PENDING] = NET_NEIGH_PENDING,
		[NEIGH_DROP_UNREACHED] = NET_NEIGH_UNREACHED,
	};

	net_drop(owner, pkt, counters[why]);
}

static void on_event(void *owner, enum neigh_event event)
{
	static const enum net_counter counters[] = {
		[NEIGH_EV_LEARNED] = NET_NEIGH_LEARNED,
		[NEIGH_EV_FAILED] = NET_NEIGH_FAILED,
		[NEIGH_EV_EVICTED] = NET_NEIGH_EVICTED,
	};

	net_count(owner, counters[event]);
}

size_t net_size(void)
{
	return sizeof(struct net);
}

static void announce(struct net *net, uint64_t now_us)
{
	mld_report(net);
	for (unsigned i = 0; i < net->config.n_addresses; i++) {
		const struct ip_addr *ours = &net->config.addresses[i].addr;

		if (ip_addr_is_v4(ours))
			arp_announce(net, ours);
		else
			ndp_announce(net, ours);
	}
	net->announcements_left--;
	net->announce_us = now_us + NET_ANNOUNCE_WAIT_US;
}

void net_init(
	struct net *net, const struct net_config *config, struct pkt_pool *pool, uint64_t now_us)
{
	struct neigh_owner owner = {on_solicit, on_send, on_drop, on_event, net};

	memset(net, 0, sizeof(*net));
	net->config = *config;
	net->pool = pool;
	net_counters_init(&net->counters);
	net_rate_init(&net->echo, NET_ECHO_PER_S, NET_ECHO_BURST, now_us);
	net_rate_init(&net->errors, NET_ERROR_PER_S, NET_ERROR_BURST, now_us);
	net_rate_init(&net->answers, NET_ANSWER_PER_S, NET_ANSWER_BURST, now_us);
	net_rate_init(&net->solicits, NET_SOLICIT_PER_S, NET_SOLICIT_BURST, now_us);
	neigh_init(&net->neigh, &owner, config->hash_key);
	if (!config->shared && !config->silent && config->n_addresses) {
		net->announcements_left = NET_ANNOUNCEMENTS;
		announce(net, now_us);
	}
}

void net_fini(struct net *net)
{
	struct pkt *pkt;

	while (net_take_tx(net, &pkt, 1))
		pkt_free(pkt);
	neigh_fini(&net->neigh);
}

struct pkt *net_alloc(struct net *net, uint16_t len)
{
	struct pkt *pkt = net->pool->alloc(net->pool);

	if (!pkt || pkt->tailroom < len) {
		if (pkt)
			pkt_free(pkt);
		net_count(net, NET_NO_BUFFER);
		return NULL;
	}
	memset(pkt->data, 0, len);
	pkt->len = len;
	pkt->tailroom = (uint16_t)(pkt->tailroom - len);
	return pkt;
}

void net_frame(struct net *net, struct pkt *pkt, const uint8_t dst[ETH_ADDR_LEN], uint16_t type)
{
	struct eth_header *eth;

	if (net->n_tx >= NET_MAX_TX) {
		net_drop(net, pkt, NET_TX_FULL);
		return;
	}
	eth = net_push(pkt, ETH_HEADER_LEN);
	memcpy(eth->dst, dst, sizeof(eth->dst));
	memcpy(eth->src, net->config.mac, sizeof(eth->src));
	wire_put16(eth->type, type);
	pkt->next = NULL;
	*(net->tx_tail ? &net->tx_tail->next : &net->tx_head) = pkt;
	net->tx_tail = pkt;
	net->n_tx++;
}

unsigned net_take_tx(struct net *net, struct pkt **pkts, unsigned n)
{
	unsigned taken = 0;

	while (taken < n && net->tx_head) {
		pkts[taken] = net->tx_head;
		net->tx_head = net->tx_head->next;
		pkts[taken++]->next = NULL;
	}
	if (!net->tx_head)
		net->tx_tail = NULL;
	net->n_tx -= taken;
	return taken;
}

void net_untake_tx(struct net *net, struct pkt **pkts, unsigned n)
{
	for (unsigned i = n; i > 0; i--) {
		pkts[i - 1]->next = net->tx_head;
		net->tx_head = pkts[i - 1];
		if (!net->tx_tail)
			net->tx_tail = pkts[i - 1];
	}
	net->n_tx += n;
}

void net_set_access(struct net *net, const struct access_table *table)
{
	net->access = table;
}

unsigned net_tx_waiting(const struct net *net)
{
	return net->n_tx;
}

bool net_tx_crowded(const struct net *net)
{
	return net->n_tx >= NET_MAX_TX / 2;
}

bool net_is_local(const struct net *net, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < net->config.n_addresses; i++) {
		if (ip_addr_eq(&net->config.addresses[i].addr, addr))
			return true;
	}
	return false;
}

static bool covers(const struct ip_cidr *ours, const struct ip_addr *addr)
{
	unsigned whole = ours->prefix_len / 8, rest = ours->prefix_len % 8;

	if (ip_addr_is_v4(&ours->addr) != ip_addr_is_v4(addr) ||
		memcmp(ours->addr.octets, addr->octets, whole) != 0)
		return false;
	return rest == 0 || (ours->addr.octets[whole] ^ addr->octets[whole]) >> (8 - rest) == 0;
}

bool net_on_link(const struct net *net, const struct ip_addr *addr)
{
	if (addr->octets[0] == 0xfe && (addr->octets[1] & 0xc0) == 0x80)
		return true;
	for (unsigned i = 0; i < net->config.n_addresses; i++) {
		if (covers(&net->config.addresses[i], addr))
			return true;
	}
	return false;
}

bool net_source_for(const struct net *net, const struct ip_addr *peer, struct ip_addr *local)
{
	const struct ip_addr *best = NULL;

	for (unsigned i = 0; i < net->config.n_addresses; i++) {
		const struct ip_cidr *ours = &net->config.addresses[i];

		if (ip_addr_is_v4(&ours->addr) != ip_addr_is_v4(peer))
			continue;
		if (!best || covers(ours, peer))
			best = &ours->addr;
		if (covers(ours, peer))
			break;
	}
	if (best)
		*local = *best;
	return best;
}

uint16_t net_mss(const struct net *net, const struct ip_addr *peer)
{
	unsigned headers = ip_addr_is_v4(peer) ? TCP_OVER_IP4 : TCP_OVER_IP6;

	return (uint16_t)(net->config.mtu > headers ? net->config.mtu - headers : 0);
}

/* No frame of ours reaches it, or comes back to us. */
static bool is_unreachable(const struct net *net, const struct ip_addr *a)
{
	return net_is_local(net, a) || net_is_unspecified(a) || ip_addr_is_loopback(a) ||
	       (ip_addr_is_v4(a) && ip_addr_v4_of(a) == 0);
}

int net_can_open(const struct net *net, const struct ip_addr *peer)
{
	if (net->config.shared || net->config.one_of_many)
		return -EOPNOTSUPP;
	return !is_unreachable(net, peer) && ip_has_route(net, peer) ? 0 : -ENETUNREACH;
}

static enum net_verdict tcp_segment(
	struct net *net, struct pkt *pkt, const struct net_rx *rx, struct net_segment *seg)
{
	uint16_t len = (uint16_t)(pkt->len - pkt->l4);

	if (len < TCP_HEADER_LEN)
		return net_drop(net, pkt, NET_IP_MALFORMED);
	if (pkt->flags & PKT_RX_L4_BAD)
		return net_drop(net, pkt, NET_TCP_CHECKSUM);
	if (!(pkt->flags & PKT_RX_L4_GOOD)) {
		uint64_t sum = checksum_pseudo(&rx->src, &rx->dst, IP_PROTO_TCP, len);

		if (checksum_finish(checksum_add(sum, pkt->data + pkt->l4, len)) != 0)
			return net_drop(net, pkt, NET_TCP_CHECKSUM);
	}
	seg->src = rx->src;
	seg->dst = rx->dst;
	memcpy(seg->src_mac, rx->src_mac, sizeof(seg->src_mac));
	seg->ecn = rx->ecn;
	net_count(net, NET_RX_TCP);
	return NET_TCP;
}

static enum net_verdict ip_packet(struct net *net, struct pkt *pkt, bool v6, struct net_rx *rx,
	uint64_t now_us, struct net_segment *seg, struct net_icmp *icmp)
{
	if (!ip_input(net, pkt, v6, rx))
		return NET_CONSUMED;
	if (rx->protocol == IP_PROTO_TCP) {
		if (access_denies(net->access, &rx->src, now_us))
			return net_drop(net, pkt, NET_DENIED);
		return tcp_segment(net, pkt, rx, seg);
	}
	if (rx->protocol == (v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP))
		return icmp_input(net, pkt, rx, v6, now_us, icmp);
	return net_drop(net, pkt, NET_IP_PROTOCOL);
}

enum net_verdict net_input(struct net *net, struct pkt *pkt, uint64_t now_us,
	struct net_segment *seg, struct net_icmp *icmp)
{
	const struct eth_header *eth = (const void *)pkt->data;
	struct net_rx rx = {0};

	if (pkt->len < ETH_HEADER_LEN)
		return net_drop(net, pkt, NET_ETH_RUNT);
	rx.l2_unicast = memcmp(eth->dst, net->config.mac, ETH_ADDR_LEN) == 0;
	if ((!rx.l2_unicast && !net_mac_is_group(eth->dst)) || !net_mac_is_other(net, eth->src))
		return net_drop(net, pkt, NET_ETH_OTHER);
	memcpy(rx.src_mac, eth->src, sizeof(rx.src_mac));
	pkt->l3 = ETH_HEADER_LEN;
	switch (wire_get16(eth->type)) {
	case ETH_TYPE_IP4: return ip_packet(net, pkt, false, &rx, now_us, seg, icmp);
	case ETH_TYPE_IP6: return ip_packet(net, pkt, true, &rx, now_us, seg, icmp);
	case ETH_TYPE_ARP:
		if (net->config.shared)
			break;
		arp_input(net, pkt, now_us);
		return NET_CONSUMED;
	default: break;
	}
	return net_drop(net, pkt, NET_ETH_TYPE);
}

void net_output(struct net *net, struct pkt *pkt, const struct net_route *route, uint64_t now_us)
{
	uint64_t sum = checksum_pseudo(&route->local, &route->peer, IP_PROTO_TCP, pkt->len);

	if (pkt->len < TCP_HEADER_LEN) {
		net_drop(net, pkt, NET_TX_INVALID);
		return;
	}
	net_count(net, NET_TX_TCP);
	checksum_store(pkt->data + TCP_CHECKSUM_AT, 0);
	if (net->config.tx_l4_csum) { /* the device adds the rest to the pseudo-header's sum */
		pkt->flags = PKT_TX_L4_CSUM;
		checksum_store(pkt->data + TCP_CHECKSUM_AT, checksum_fold(sum));
	} else {
		pkt->flags = 0;
		sum = checksum_add(sum, pkt->data, pkt->len);
		checksum_store(pkt->data + TCP_CHECKSUM_AT, checksum_finish(sum));
	}
	ip_output(net, pkt, IP_PROTO_TCP, route, now_us);
}

void net_learn(
	struct net *net, const struct ip_addr *addr, const struct neigh_news *news, uint64_t now_us)
{
	struct net_news *told;

	neigh_learn(&net->neigh, addr, news, now_us);
	if (!net->config.one_of_many)
		return;
	if (net->n_news == NET_MAX_NEWS) {
		net_count(net, NET_NEWS_FULL);
		return;
	}
	told = &net->news[net->n_news++];
	*told = (struct net_news){.addr = *addr,
		.has_mac = news->mac,
		.solicited = news->solicited,
		.override = news->override,
		.create = news->create};
	if (news->mac)
		memcpy(told->mac, news->mac, sizeof(told->mac));
}

bool net_next_news(struct net *net, struct net_news *news)
{
	if (net->news_taken == net->n_news) {
		net->news_taken = net->n_news = 0;
		return false;
	}
	*news = net->news[net->news_taken++];
	return true;
}

void net_hear(struct net *net, const struct net_news *news, uint64_t now_us)
{
	struct neigh_news heard = {
		news->has_mac ? news->mac : NULL, news->solicited, news->override, news->create};

	neigh_learn(&net->neigh, &news->addr, &heard, now_us);
}

uint64_t net_timers(struct net *net, uint64_t now_us)
{
	uint64_t next = neigh_timers(&net->neigh, now_us);

	if (!net->announcements_left)
		return next;
	if (now_us >= net->announce_us)
		announce(net, now_us);
	return net->announcements_left && net->announce_us < next ? net->announce_us : next;
}

const struct counter_block *net_counters(const struct net *net)
{
	return &net->counters.block;
}
