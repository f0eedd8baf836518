#include "dataplane/net/mld.h"

#include "dataplane/net/ip.h"
#include "dataplane/port/checksum.h"

enum {
	MLD_REPORT_V2 = 143,
	MLD_HOP_LIMIT = 1,
	MLD_QUERY_LEN = 24,           /* of version 1; version 2 is longer */
	RECORD_CHANGE_TO_EXCLUDE = 4, /* excluding nobody: "I joined" */
};

/* RFC 2711: routers look at what carries this option. */
static const uint8_t router_alert[8] = {IP_PROTO_ICMP6, 0, 5, 2, 0, 0, 1, 0};

struct mld_record {
	uint8_t type;
	uint8_t aux_len;
	uint8_t n_sources[2];
	uint8_t group[16];
};
_Static_assert(sizeof(struct mld_record) == 20, "as on the wire");

struct mld_report {
	uint8_t type;
	uint8_t reserved;
	uint8_t checksum[2];
	uint8_t reserved2[2];
	uint8_t n_records[2];
	struct mld_record records[];
};
_Static_assert(sizeof(struct mld_report) == 8, "as on the wire");

static unsigned count_groups(const struct net *net)
{
	unsigned n = 0;

	for (unsigned i = 0; i < net->config.n_addresses; i++)
		n += !ip_addr_is_v4(&net->config.addresses[i].addr);
	return n;
}

void mld_report(struct net *net)
{
	static const struct ip_addr unspecified, routers = {{0xff, 0x02, [15] = 0x16}};
	unsigned n = count_groups(net), at = 0;
	size_t len = sizeof(struct mld_report) + n * sizeof(struct mld_record);
	struct mld_report *report;
	struct pkt *pkt;
	uint64_t sum;

	if (n == 0 || !(pkt = net_alloc(net, (uint16_t)(sizeof(router_alert) + len))))
		return;
	memcpy(pkt->data, router_alert, sizeof(router_alert));
	report = (struct mld_report *)(pkt->data + sizeof(router_alert));
	report->type = MLD_REPORT_V2;
	wire_put16(report->n_records, (uint16_t)n);
	for (unsigned i = 0; i < net->config.n_addresses; i++) {
		const struct ip_addr *ours = &net->config.addresses[i].addr;
		struct ip_addr group = ip_solicited_node(ours);

		if (ip_addr_is_v4(ours))
			continue;
		report->records[at].type = RECORD_CHANGE_TO_EXCLUDE;
		memcpy(report->records[at++].group, group.octets, sizeof(group.octets));
	}
	/* From nobody: we have no link-local address, and switches take it so (RFC 3810 §5.2.13).
	 */
	sum = checksum_pseudo(&unspecified, &routers, IP_PROTO_ICMP6, (uint16_t)len);
	checksum_store(report->checksum, checksum_finish(checksum_add(sum, report, len)));
	if (ip_write_header(net, pkt, 0, MLD_HOP_LIMIT, &unspecified, &routers)) {
		uint8_t mac[ETH_ADDR_LEN];

		ip_group_mac(&routers, mac);
		net_count(net, NET_MLD_REPORTS);
		net_frame(net, pkt, mac, ETH_TYPE_IP6);
	}
}

void mld_input(struct net *net, struct pkt *pkt, const struct net_rx *rx, uint64_t now_us)
{
	bool link_local = rx->src.octets[0] == 0xfe && (rx->src.octets[1] & 0xc0) == 0x80;

	/* RFC 3810 §5.1.14 and §6.2. */
	if (pkt->len - pkt->l4 < MLD_QUERY_LEN || rx->hop_limit != MLD_HOP_LIMIT || !link_local) {
		net_drop(net, pkt, NET_ICMP_BAD);
		return;
	}
	if (!net_rate_take(&net->answers, now_us)) {
		net_drop(net, pkt, NET_LIMIT_ANSWER);
		return;
	}
	net_drop(net, pkt, NET_MLD_QUERIES);
	mld_report(net);
}
