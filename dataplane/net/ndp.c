#include "dataplane/net/ndp.h"

#include "dataplane/net/ip.h"
#include "dataplane/port/checksum.h"

enum {
	ND_SOLICITATION = 135,
	ND_ADVERTISEMENT = 136,
	ND_FLAG_SOLICITED = 0x40,
	ND_FLAG_OVERRIDE = 0x20,
	ND_OPTION_SOURCE = 1,
	ND_OPTION_TARGET = 2,
	ND_HOP_LIMIT = 255, /* proves that no router has passed it on */
};

struct nd_header {
	uint8_t type;
	uint8_t code;
	uint8_t checksum[2];
	uint8_t flags[4];
	uint8_t target[16];
};
_Static_assert(sizeof(struct nd_header) == 24, "as on the wire");

/* The one option that we write and read. */
struct nd_option {
	uint8_t type;
	uint8_t len; /* in units of 8 octets */
	uint8_t mac[6];
};
_Static_assert(sizeof(struct nd_option) == 8, "as on the wire");

static const struct ip_addr all_nodes = {{0xff, 0x02, [15] = 1}};

static void send_message(struct net *net, uint8_t type, uint8_t flags, const struct ip_addr *target,
	const struct ip_addr *src, const struct ip_addr *dst, const uint8_t *mac)
{
	struct pkt *pkt = net_alloc(net, sizeof(struct nd_header) + sizeof(struct nd_option));
	struct nd_header *nd;
	struct nd_option *option;
	uint8_t group_mac[ETH_ADDR_LEN];
	uint64_t sum;

	if (!pkt)
		return;
	nd = (struct nd_header *)pkt->data;
	option = (struct nd_option *)(nd + 1);
	nd->type = type;
	nd->flags[0] = flags;
	memcpy(nd->target, target->octets, sizeof(nd->target));
	option->type = type == ND_SOLICITATION ? ND_OPTION_SOURCE : ND_OPTION_TARGET;
	option->len = 1;
	memcpy(option->mac, net->config.mac, sizeof(option->mac));
	sum = checksum_add(
		checksum_pseudo(src, dst, IP_PROTO_ICMP6, pkt->len), pkt->data, pkt->len);
	checksum_store(nd->checksum, checksum_finish(sum));
	if (!mac) {
		ip_group_mac(dst, group_mac);
		mac = group_mac;
	}
	if (ip_write_header(net, pkt, IP_PROTO_ICMP6, ND_HOP_LIMIT, src, dst))
		net_frame(net, pkt, mac, ETH_TYPE_IP6);
}

void ndp_solicit(struct net *net, const struct ip_addr *target, const struct ip_addr *local,
	const uint8_t *mac)
{
	struct ip_addr group = ip_solicited_node(target);

	send_message(net, ND_SOLICITATION, 0, target, local, mac ? target : &group, mac);
}

void ndp_announce(struct net *net, const struct ip_addr *local)
{
	send_message(net, ND_ADVERTISEMENT, ND_FLAG_OVERRIDE, local, local, &all_nodes, NULL);
	net_count(net, NET_ND_ADVERTS);
}

/*
 * Walk the options (RFC 4861 §4.6) and find the link-layer address of one type. False where one has
 * no length or runs over the end: then the whole message is to be ignored.
 */
static bool find_option(
	const struct net *net, const uint8_t *p, unsigned left, uint8_t type, const uint8_t **mac)
{
	*mac = NULL;
	while (left) {
		unsigned len = left >= 2 ? p[1] * 8u : 0;

		if (len == 0 || len > left)
			return false;
		if (p[0] == type && len == sizeof(struct nd_option))
			*mac = ((const struct nd_option *)p)->mac;
		p += len;
		left -= len;
	}
	return !*mac || net_mac_is_other(net, *mac);
}

/* RFC 4861 §7.1.1 has the rules for what to ignore, §7.2.4 for what to answer. */
static enum net_counter solicited(struct net *net, const struct ip_addr *target, const uint8_t *mac,
	const struct net_rx *rx, uint64_t now_us)
{
	struct neigh_news news = {.mac = mac, .override = true, .create = true};
	bool duplicate_check = net_is_unspecified(&rx->src);
	struct ip_addr group = ip_solicited_node(target);

	if (duplicate_check && (mac || !ip_addr_eq(&rx->dst, &group)))
		return NET_ND_BAD;
	if (!net_is_local(net, target))
		return NET_ND_OTHER;
	if (!duplicate_check && mac && net_on_link(net, &rx->src))
		net_learn(net, &rx->src, &news, now_us);
	if (!net_rate_take(&net->answers, now_us))
		return NET_LIMIT_ANSWER;
	if (duplicate_check) {
		ndp_announce(net, target);
		return NET_ADDRESS_CONFLICT;
	}
	/* Whoever solicits is on the link, whatever its address says. */
	send_message(net, ND_ADVERTISEMENT, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE, target, target,
		&rx->src, rx->src_mac);
	return NET_ND_ADVERTS;
}

/* RFC 4861 §7.1.2 and §7.2.5. */
static enum net_counter advertised(struct net *net, const struct nd_header *nd,
	const struct ip_addr *target, const uint8_t *mac, const struct net_rx *rx, uint64_t now_us)
{
	struct neigh_news news = {
		.mac = mac,
		.solicited = nd->flags[0] & ND_FLAG_SOLICITED,
		.override = nd->flags[0] & ND_FLAG_OVERRIDE,
	};

	if ((rx->dst.octets[0] == 0xff && news.solicited) || net_is_unspecified(&rx->src))
		return NET_ND_BAD;
	if (net_is_local(net, target))
		return NET_ADDRESS_CONFLICT;
	net_learn(net, target, &news, now_us);
	return NET_ND_OTHER;
}

static enum net_counter take(
	struct net *net, const struct pkt *pkt, const struct net_rx *rx, uint64_t now_us)
{
	const struct nd_header *nd = (const void *)(pkt->data + pkt->l4);
	unsigned len = pkt->len - pkt->l4;
	bool solicitation;
	struct ip_addr target;
	const uint8_t *mac;

	if (rx->hop_limit != ND_HOP_LIMIT || len < sizeof(*nd))
		return NET_ND_BAD;
	if (nd->type != ND_SOLICITATION && nd->type != ND_ADVERTISEMENT)
		return NET_ND_OTHER; /* routers are configured, not discovered */
	solicitation = nd->type == ND_SOLICITATION;
	target = ip_addr_v6(nd->target);
	if (nd->code != 0 || target.octets[0] == 0xff || ip_addr_is_v4(&target))
		return NET_ND_BAD;
	if (!find_option(net, (const uint8_t *)(nd + 1), len - (unsigned)sizeof(*nd),
		    solicitation ? ND_OPTION_SOURCE : ND_OPTION_TARGET, &mac))
		return NET_ND_BAD;
	return solicitation ? solicited(net, &target, mac, rx, now_us)
			    : advertised(net, nd, &target, mac, rx, now_us);
}

void ndp_input(struct net *net, struct pkt *pkt, const struct net_rx *rx, uint64_t now_us)
{
	net_drop(net, pkt, take(net, pkt, rx, now_us));
}
