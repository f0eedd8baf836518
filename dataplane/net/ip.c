#include "dataplane/net/ip.h"

#include "dataplane/port/checksum.h"

#define IP6_NEXT_HOP_BY_HOP  0
#define IP6_NEXT_ROUTING     43
#define IP6_NEXT_FRAGMENT    44
#define IP6_NEXT_DESTINATION 60

static bool drop(struct net *net, struct pkt *pkt, enum net_counter why)
{
	net_drop(net, pkt, why);
	return false;
}

static struct ip_addr addr4(const uint8_t octets[4])
{
	return ip_addr_v4(wire_get32(octets));
}

/* Addresses that no packet on a wire may come from (RFC 1122 §3.2.1.3, RFC 6890). */
static bool ip4_is_martian(const struct net *net, const struct ip_addr *src)
{
	uint32_t a = ip_addr_v4_of(src);

	if (a >> 24 == 0 || a >> 24 == 127 || a >> 28 >= 0xe)
		return true;
	for (unsigned i = 0; i < net->config.n_addresses; i++) {
		const struct ip_cidr *ours = &net->config.addresses[i];
		uint32_t host_bits;

		if (!ip_addr_is_v4(&ours->addr) || ours->prefix_len > 126)
			continue; /* RFC 3021: a /31 has no broadcast address */
		host_bits =
			ours->prefix_len <= 96 ? UINT32_MAX : UINT32_MAX >> (ours->prefix_len - 96);
		if (a == (ip_addr_v4_of(&ours->addr) | host_bits))
			return true;
	}
	return net_is_local(net, src);
}

/*
 * Options are ignored but for source routes, which would turn our answer round (RFC 7126
 * §4.3, 4.4). True if they are well-formed and none of these.
 */
static bool ip4_options_ok(const uint8_t *p, unsigned len)
{
	enum { END = 0, NOP = 1, TIMESTAMPS = 68, LOOSE_ROUTE = 131, STRICT_ROUTE = 137 };

	for (unsigned i = 0; i < len && p[i] != END;) {
		if (p[i] == NOP) {
			i++;
			continue;
		}
		if (len - i < 2 || p[i + 1] < 2 || p[i + 1] > len - i)
			return false;
		if (p[i] == LOOSE_ROUTE || p[i] == STRICT_ROUTE)
			return false;
		if (p[i] == TIMESTAMPS && p[i + 1] < 4) /* pointer and flags are missing */
			return false;
		i += p[i + 1];
	}
	return true;
}

static bool ip4_input(struct net *net, struct pkt *pkt, struct net_rx *rx)
{
	const struct ip4_header *ip = (const void *)(pkt->data + pkt->l3);
	unsigned left = pkt->len - pkt->l3, header_len, total_len;

	if (left < IP4_HEADER_LEN)
		return drop(net, pkt, NET_IP_TRUNCATED);
	header_len = (ip->version_ihl & 0xfu) * 4;
	total_len = wire_get16(ip->total_len);
	if (ip->version_ihl >> 4 != 4 || header_len < IP4_HEADER_LEN || total_len < header_len)
		return drop(net, pkt, NET_IP_MALFORMED);
	if (total_len > left) /* also a super-frame that the device has cut to its buffer */
		return drop(net, pkt, NET_IP_TRUNCATED);
	if (checksum(ip, header_len) != 0)
		return drop(net, pkt, NET_IP_CHECKSUM);
	rx->src = addr4(ip->src);
	rx->dst = addr4(ip->dst);
	if (!net_is_local(net, &rx->dst) || !rx->l2_unicast)
		return drop(net, pkt, NET_IP_NOT_LOCAL);
	if (ip4_is_martian(net, &rx->src))
		return drop(net, pkt, NET_IP_MARTIAN);
	if (!ip4_options_ok((const uint8_t *)(ip + 1), header_len - IP4_HEADER_LEN))
		return drop(net, pkt, NET_IP_OPTIONS);
	if (wire_get16(ip->fragment) & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK))
		return drop(net, pkt, NET_IP_FRAGMENT);
	/* No look at the TTL: a host takes what has reached it (RFC 1122 §3.2.1.7). */
	rx->protocol = ip->protocol;
	rx->hop_limit = ip->ttl;
	rx->ecn = ip->tos & 3;
	pkt->l4 = (uint16_t)(pkt->l3 + header_len);
	net_cut(pkt, (uint16_t)(pkt->l3 + total_len));
	return true;
}

/*
 * A mapped address on the wire would be taken for the IPv4 one (RFC 4942 §2.2), so it is as
 * impossible as a loopback one. The unspecified address may only look for duplicates, which ICMPv6
 * sorts out.
 */
static bool ip6_is_martian(const struct net *net, const struct ip_addr *src)
{
	return src->octets[0] == 0xff || ip_addr_is_loopback(src) || ip_addr_is_v4(src) ||
	       net_is_local(net, src);
}

/* Groups that we are in: all nodes, and those that solicit one of our addresses. */
static bool ip6_is_our_group(const struct net *net, const struct ip_addr *dst)
{
	static const struct ip_addr all_nodes = {{0xff, 0x02, [15] = 1}};

	if (ip_addr_eq(dst, &all_nodes))
		return true;
	for (unsigned i = 0; i < net->config.n_addresses; i++) {
		const struct ip_addr *ours = &net->config.addresses[i].addr;
		struct ip_addr group = ip_solicited_node(ours);

		if (!ip_addr_is_v4(ours) && ip_addr_eq(dst, &group))
			return true;
	}
	return false;
}

/*
 * Options of a hop-by-hop or destination header of `len` octets. None concerns us; the two highest
 * bits of a type say whether it may be skipped by who does not know it (RFC 8200 §4.2).
 */
static bool ip6_options_ok(const uint8_t *p, unsigned len)
{
	enum { PAD1 = 0 };

	for (unsigned i = 2; i < len;) {
		if (p[i] == PAD1) {
			i++;
			continue;
		}
		if (len - i < 2 || p[i + 1] > len - i - 2 || p[i] >> 6 != 0)
			return false;
		i += 2u + p[i + 1];
	}
	return true;
}

/* One extension header; its length, 0 where it ends the packet's way. */
static unsigned ip6_extension_len(uint8_t next, const uint8_t *p, bool first)
{
	switch (next) {
	case IP6_NEXT_HOP_BY_HOP: return first ? (p[1] + 1u) * 8 : 0;
	case IP6_NEXT_DESTINATION: return (p[1] + 1u) * 8;
	case IP6_NEXT_ROUTING: return p[3] == 0 ? (p[1] + 1u) * 8 : 0; /* segments left */
	case IP6_NEXT_FRAGMENT: /* RFC 6946: an atomic one holds the whole packet */
		return (wire_get16(p + 2) & 0xfff9) == 0 ? 8 : 0;
	default: return 0;
	}
}

static bool ip6_is_extension(uint8_t next)
{
	return next == IP6_NEXT_HOP_BY_HOP || next == IP6_NEXT_ROUTING ||
	       next == IP6_NEXT_FRAGMENT || next == IP6_NEXT_DESTINATION;
}

/* Step over the extension headers up to the upper layer; sets rx->protocol and pkt->l4. */
static bool ip6_extensions(struct net *net, struct pkt *pkt, struct net_rx *rx, uint8_t next)
{
	unsigned at = pkt->l3 + IP6_HEADER_LEN, limit = at + IP_MAX_EXTENSION_OCTETS;

	for (unsigned i = 0; ip6_is_extension(next); i++) {
		unsigned len;

		if (i == IP_MAX_EXTENSIONS || pkt->len - at < 8)
			return drop(net, pkt, NET_IP_EXTENSION);
		len = ip6_extension_len(next, pkt->data + at, i == 0);
		if (len == 0)
			return drop(net, pkt,
				next == IP6_NEXT_FRAGMENT ? NET_IP_FRAGMENT : NET_IP_EXTENSION);
		if (len > pkt->len - at || at + len > limit)
			return drop(net, pkt, NET_IP_EXTENSION);
		if ((next == IP6_NEXT_HOP_BY_HOP || next == IP6_NEXT_DESTINATION) &&
			!ip6_options_ok(pkt->data + at, len))
			return drop(net, pkt, NET_IP_EXTENSION);
		next = pkt->data[at];
		at += len;
	}
	rx->protocol = next;
	pkt->l4 = (uint16_t)at;
	return true;
}

static bool ip6_input(struct net *net, struct pkt *pkt, struct net_rx *rx)
{
	const struct ip6_header *ip = (const void *)(pkt->data + pkt->l3);
	unsigned left = pkt->len - pkt->l3, total_len;

	if (left < IP6_HEADER_LEN)
		return drop(net, pkt, NET_IP_TRUNCATED);
	total_len = IP6_HEADER_LEN + wire_get16(ip->payload_len);
	if (ip->version_class_flow[0] >> 4 != 6)
		return drop(net, pkt, NET_IP_MALFORMED);
	if (total_len > left)
		return drop(net, pkt, NET_IP_TRUNCATED);
	rx->src = ip_addr_v6(ip->src);
	rx->dst = ip_addr_v6(ip->dst);
	if (ip_addr_is_v4(&rx->dst) ||
		!(net_is_local(net, &rx->dst) ? rx->l2_unicast : ip6_is_our_group(net, &rx->dst)))
		return drop(net, pkt, NET_IP_NOT_LOCAL);
	if (ip6_is_martian(net, &rx->src))
		return drop(net, pkt, NET_IP_MARTIAN);
	rx->hop_limit = ip->hop_limit;
	rx->ecn = ip->version_class_flow[1] >> 4 & 3;
	net_cut(pkt, (uint16_t)(pkt->l3 + total_len));
	if (!ip6_extensions(net, pkt, rx, ip->next))
		return false;
	if (rx->protocol != IP_PROTO_ICMP6 &&
		(rx->dst.octets[0] == 0xff || net_is_unspecified(&rx->src)))
		return drop(net, pkt, NET_IP_MARTIAN);
	return true;
}

bool ip_input(struct net *net, struct pkt *pkt, bool v6, struct net_rx *rx)
{
	return v6 ? ip6_input(net, pkt, rx) : ip4_input(net, pkt, rx);
}

static void ip4_write(struct net *net, struct pkt *pkt, uint8_t protocol, uint8_t hop_limit,
	const struct ip_addr *src, const struct ip_addr *dst)
{
	struct ip4_header *ip = net_push(pkt, IP4_HEADER_LEN);

	/* Never fragmented on its way (path-MTU discovery), so the identifier may be zero (RFC
	 * 6864). */
	*ip = (struct ip4_header){.version_ihl = 0x45, .ttl = hop_limit, .protocol = protocol};
	wire_put16(ip->total_len, pkt->len);
	wire_put16(ip->fragment, IP4_DONT_FRAGMENT);
	memcpy(ip->src, src->octets + 12, sizeof(ip->src));
	memcpy(ip->dst, dst->octets + 12, sizeof(ip->dst));
	if (net->config.tx_ip4_csum)
		pkt->flags |= PKT_TX_IP4_CSUM;
	else
		checksum_store(ip->checksum, checksum(ip, sizeof(*ip)));
}

static void ip6_write(struct pkt *pkt, uint8_t protocol, uint8_t hop_limit,
	const struct ip_addr *src, const struct ip_addr *dst)
{
	uint16_t payload_len = pkt->len;
	struct ip6_header *ip = net_push(pkt, IP6_HEADER_LEN);

	*ip = (struct ip6_header){
		.version_class_flow = {0x60}, .next = protocol, .hop_limit = hop_limit};
	wire_put16(ip->payload_len, payload_len);
	memcpy(ip->src, src->octets, sizeof(ip->src));
	memcpy(ip->dst, dst->octets, sizeof(ip->dst));
}

bool ip_write_header(struct net *net, struct pkt *pkt, uint8_t protocol, uint8_t hop_limit,
	const struct ip_addr *src, const struct ip_addr *dst)
{
	bool v4 = ip_addr_is_v4(dst);
	unsigned header_len = v4 ? IP4_HEADER_LEN : IP6_HEADER_LEN;

	if (pkt->headroom < header_len + ETH_HEADER_LEN ||
		pkt->len + header_len > net->config.mtu || ip_addr_is_v4(src) != v4)
		return drop(net, pkt, NET_TX_INVALID);
	if (v4)
		ip4_write(net, pkt, protocol, hop_limit, src, dst);
	else
		ip6_write(pkt, protocol, hop_limit, src, dst);
	pkt->l3 = ETH_HEADER_LEN;
	pkt->l4 = (uint16_t)(ETH_HEADER_LEN + header_len);
	return true;
}

/* The neighbour that a packet to `peer` is handed to; NULL where there is none. */
static const struct ip_addr *next_hop(
	const struct net *net, const struct ip_addr *peer, bool *is_gateway)
{
	bool v4 = ip_addr_is_v4(peer);
	const struct ip_addr *gateway = v4 ? &net->config.gateway4 : &net->config.gateway6;

	*is_gateway = ip_addr_eq(peer, gateway);
	if (v4 ? ip_addr_v4_of(peer) >> 28 >= 0xe : peer->octets[0] == 0xff)
		return NULL;
	if (net_on_link(net, peer))
		return peer;
	*is_gateway = true;
	return net_is_unspecified(gateway) ? NULL : gateway;
}

bool ip_has_route(const struct net *net, const struct ip_addr *peer)
{
	bool is_gateway;

	return next_hop(net, peer, &is_gateway) != NULL;
}

void ip_output(struct net *net, struct pkt *pkt, uint8_t protocol, const struct net_route *route,
	uint64_t now_us)
{
	const struct ip_addr *hop;
	bool is_gateway;

	if (!ip_write_header(net, pkt, protocol, NET_HOP_LIMIT, &route->local, &route->peer))
		return;
	if (net->config.shared) {
		net_frame(net, pkt, route->peer_mac,
			ip_addr_is_v4(&route->peer) ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
		return;
	}
	hop = next_hop(net, &route->peer, &is_gateway);
	if (hop)
		neigh_output(&net->neigh, pkt, hop, &route->local, is_gateway, now_us);
	else
		net_drop(net, pkt, NET_NO_ROUTE);
}

struct ip_addr ip_solicited_node(const struct ip_addr *addr)
{
	struct ip_addr group = {{0xff, 0x02, [11] = 1, [12] = 0xff}};

	memcpy(group.octets + 13, addr->octets + 13, 3);
	return group;
}

void ip_group_mac(const struct ip_addr *group, uint8_t mac[ETH_ADDR_LEN])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->octets + 12, 4);
}
