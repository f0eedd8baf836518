#include "dataplane/net/icmp.h"

#include "dataplane/net/ip.h"
#include "dataplane/net/mld.h"
#include "dataplane/net/ndp.h"
#include "dataplane/port/checksum.h"

#define ICMP_HEADER_LEN 8
#define QUOTED_TCP_LEN  8 /* ports and sequence number: all that an error must quote */

enum {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_ECHO = 8,
	ICMP4_TIME = 11,
	ICMP4_PARAMETER
};
enum {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG,
	ICMP6_TIME,
	ICMP6_PARAMETER,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY,
	ICMP6_MLD_QUERY,
	ICMP6_ND_FIRST = 133,
	ICMP6_ND_LAST = 137,
};
enum { CODE_ANY = 255 };

/* What an error means to a connection (RFC 1122 §4.2.3.9, RFC 5927); the first line that fits
 * counts. */
struct error_rule {
	uint8_t type, code;
	enum net_icmp_kind kind;
};

static const struct error_rule rules4[] = {
	{ICMP4_UNREACHABLE, 2, NET_ICMP_PORT_UNREACHABLE},  /* protocol */
	{ICMP4_UNREACHABLE, 3, NET_ICMP_PORT_UNREACHABLE},  /* port */
	{ICMP4_UNREACHABLE, 4, NET_ICMP_TOO_BIG},           /* fragmentation needed */
	{ICMP4_UNREACHABLE, 9, NET_ICMP_PORT_UNREACHABLE},  /* network prohibited */
	{ICMP4_UNREACHABLE, 10, NET_ICMP_PORT_UNREACHABLE}, /* host prohibited */
	{ICMP4_UNREACHABLE, 13, NET_ICMP_PORT_UNREACHABLE}, /* communication prohibited */
	{ICMP4_UNREACHABLE, CODE_ANY, NET_ICMP_UNREACHABLE},
	{ICMP4_TIME, CODE_ANY, NET_ICMP_UNREACHABLE},
	{ICMP4_PARAMETER, CODE_ANY, NET_ICMP_UNREACHABLE},
};

static const struct error_rule rules6[] = {
	{ICMP6_UNREACHABLE, 1, NET_ICMP_PORT_UNREACHABLE}, /* prohibited */
	{ICMP6_UNREACHABLE, 4, NET_ICMP_PORT_UNREACHABLE}, /* port */
	{ICMP6_UNREACHABLE, CODE_ANY, NET_ICMP_UNREACHABLE},
	{ICMP6_TOO_BIG, CODE_ANY, NET_ICMP_TOO_BIG},
	{ICMP6_TIME, CODE_ANY, NET_ICMP_UNREACHABLE},
	{ICMP6_PARAMETER, CODE_ANY, NET_ICMP_UNREACHABLE},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct error_rule *find_rule(bool v6, uint8_t type, uint8_t code)
{
	const struct error_rule *rules = v6 ? rules6 : rules4;
	size_t n = v6 ? COUNT(rules6) : COUNT(rules4);

	for (size_t i = 0; i < n; i++) {
		if (rules[i].type == type && (rules[i].code == code || rules[i].code == CODE_ANY))
			return &rules[i];
	}
	return NULL;
}

static void take_quoted_tcp(const uint8_t *tcp, struct net_icmp *icmp)
{
	icmp->local_port = wire_get16(tcp);
	icmp->peer_port = wire_get16(tcp + 2);
	icmp->seq = wire_get32(tcp + 4);
}

static bool quoted4(const uint8_t *p, unsigned len, struct net_icmp *icmp, unsigned *sent_len)
{
	const struct ip4_header *ip = (const void *)p;
	unsigned header_len;

	if (len < IP4_HEADER_LEN)
		return false;
	header_len = (ip->version_ihl & 0xfu) * 4;
	if (ip->version_ihl >> 4 != 4 || header_len < IP4_HEADER_LEN ||
		len < header_len + QUOTED_TCP_LEN || ip->protocol != IP_PROTO_TCP ||
		wire_get16(ip->fragment) & IP4_OFFSET_MASK)
		return false;
	*sent_len = wire_get16(ip->total_len);
	icmp->local = ip_addr_v4(wire_get32(ip->src));
	icmp->peer = ip_addr_v4(wire_get32(ip->dst));
	take_quoted_tcp(p + header_len, icmp);
	return true;
}

/* We send no extension headers, so TCP follows at once in what is quoted of ours. */
static bool quoted6(const uint8_t *p, unsigned len, struct net_icmp *icmp, unsigned *sent_len)
{
	const struct ip6_header *ip = (const void *)p;

	if (len < IP6_HEADER_LEN + QUOTED_TCP_LEN || ip->version_class_flow[0] >> 4 != 6 ||
		ip->next != IP_PROTO_TCP)
		return false;
	*sent_len = IP6_HEADER_LEN + wire_get16(ip->payload_len);
	icmp->local = ip_addr_v6(ip->src);
	icmp->peer = ip_addr_v6(ip->dst);
	take_quoted_tcp(p + IP6_HEADER_LEN, icmp);
	return !ip_addr_is_v4(&icmp->local);
}

/* Routers older than RFC 1191 leave the MTU 0; §7.1's next plateau below what did not pass is
 * meant. */
static uint32_t plateau_below(unsigned sent_len)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

	for (size_t i = 0; i < COUNT(plateaus); i++) {
		if (plateaus[i] < sent_len)
			return plateaus[i];
	}
	return 68;
}

/*
 * The MTU of a "too big"; 0 where it is none: below what each protocol guarantees, or not below
 * what we sent (a forgery at worst, and of no use at best).
 */
static uint32_t path_mtu(const uint8_t *header, bool v6, unsigned sent_len)
{
	uint32_t mtu = v6 ? wire_get32(header + 4) : wire_get16(header + 6);

	if (!v6 && mtu == 0)
		mtu = plateau_below(sent_len);
	return mtu >= (v6 ? IP6_MIN_MTU : 68u) && mtu < sent_len ? mtu : 0;
}

static enum net_verdict error_input(struct net *net, struct pkt *pkt, bool v6, uint64_t now_us,
	const struct error_rule *rule, struct net_icmp *icmp)
{
	const uint8_t *header = pkt->data + pkt->l4;
	unsigned len = pkt->len - pkt->l4 - ICMP_HEADER_LEN, sent_len;
	bool found;

	*icmp = (struct net_icmp){.kind = rule->kind};
	found = v6 ? quoted6(header + ICMP_HEADER_LEN, len, icmp, &sent_len)
		   : quoted4(header + ICMP_HEADER_LEN, len, icmp, &sent_len);
	if (!found || !net_is_local(net, &icmp->local))
		return net_drop(net, pkt, NET_ICMP_QUOTE);
	if (rule->kind == NET_ICMP_TOO_BIG) {
		icmp->mtu = path_mtu(header, v6, sent_len);
		if (icmp->mtu == 0)
			return net_drop(net, pkt, NET_ICMP_QUOTE);
	}
	if (!net_rate_take(&net->errors, now_us))
		return net_drop(net, pkt, NET_LIMIT_ERROR);
	net_drop(net, pkt, NET_ICMP_ERRORS);
	return NET_ICMP;
}

/* The request becomes its own reply. */
static enum net_verdict echo(
	struct net *net, struct pkt *pkt, const struct net_rx *rx, bool v6, uint64_t now_us)
{
	struct net_route route = {.local = rx->dst, .peer = rx->src};
	uint64_t sum;

	if (!net_is_local(net, &rx->dst)) /* to a group: RFC 1122 §3.2.2.6 lets us be silent */
		return net_drop(net, pkt, NET_ICMP_IGNORED);
	if (!net_rate_take(&net->echo, now_us))
		return net_drop(net, pkt, NET_LIMIT_ECHO);
	memcpy(route.peer_mac, rx->src_mac, sizeof(route.peer_mac));
	net_pull(pkt, pkt->l4);
	pkt->flags = 0;
	pkt->data[0] = v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY;
	checksum_store(pkt->data + ICMP_CHECKSUM_AT, 0);
	sum = v6 ? checksum_pseudo(&rx->dst, &rx->src, IP_PROTO_ICMP6, pkt->len) : 0;
	sum = checksum_add(sum, pkt->data, pkt->len);
	checksum_store(pkt->data + ICMP_CHECKSUM_AT, checksum_finish(sum));
	net_count(net, NET_ECHO_REPLIES);
	ip_output(net, pkt, v6 ? IP_PROTO_ICMP6 : IP_PROTO_ICMP, &route, now_us);
	return NET_CONSUMED;
}

enum net_verdict icmp_input(struct net *net, struct pkt *pkt, const struct net_rx *rx, bool v6,
	uint64_t now_us, struct net_icmp *icmp)
{
	const uint8_t *header = pkt->data + pkt->l4;
	unsigned len = pkt->len - pkt->l4;
	const struct error_rule *rule;
	uint64_t sum;

	if (len < ICMP_HEADER_LEN)
		return net_drop(net, pkt, NET_ICMP_BAD);
	sum = v6 ? checksum_pseudo(&rx->src, &rx->dst, IP_PROTO_ICMP6, (uint16_t)len) : 0;
	if (checksum_finish(checksum_add(sum, header, len)) != 0)
		return net_drop(net, pkt, NET_ICMP_BAD);
	if (v6 && header[0] >= ICMP6_ND_FIRST && header[0] <= ICMP6_ND_LAST &&
		!net->config.shared) {
		ndp_input(net, pkt, rx, now_us);
		return NET_CONSUMED;
	}
	if (v6 && header[0] == ICMP6_MLD_QUERY && !net->config.shared) {
		mld_input(net, pkt, rx, now_us);
		return NET_CONSUMED;
	}
	if (net_is_unspecified(&rx->src))
		return net_drop(net, pkt, NET_IP_MARTIAN);
	if (header[0] == (v6 ? ICMP6_ECHO : ICMP4_ECHO))
		return echo(net, pkt, rx, v6, now_us);
	rule = find_rule(v6, header[0], header[1]);
	if (rule)
		return error_input(net, pkt, v6, now_us, rule, icmp);
	return net_drop(net, pkt, NET_ICMP_IGNORED);
}
