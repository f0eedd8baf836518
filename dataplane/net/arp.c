#include "dataplane/net/arp.h"

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
	uint8_t hardware[2];
	uint8_t protocol[2];
	uint8_t hardware_len;
	uint8_t protocol_len;
	uint8_t operation[2];
	uint8_t sender_mac[6];
	uint8_t sender_ip[4];
	uint8_t target_mac[6];
	uint8_t target_ip[4];
};
_Static_assert(sizeof(struct arp_packet) == 28, "as on the wire");

static const uint8_t broadcast[ETH_ADDR_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void fill(struct arp_packet *arp, uint16_t operation, const uint8_t *sender_mac,
	const struct ip_addr *sender, const struct ip_addr *target)
{
	wire_put16(arp->hardware, 1);
	wire_put16(arp->protocol, ETH_TYPE_IP4);
	arp->hardware_len = 6;
	arp->protocol_len = 4;
	wire_put16(arp->operation, operation);
	memcpy(arp->sender_mac, sender_mac, sizeof(arp->sender_mac));
	memcpy(arp->sender_ip, sender->octets + 12, sizeof(arp->sender_ip));
	memcpy(arp->target_ip, target->octets + 12, sizeof(arp->target_ip));
}

void arp_request(struct net *net, const struct ip_addr *target, const struct ip_addr *local,
	const uint8_t *mac)
{
	struct pkt *pkt = net_alloc(net, sizeof(struct arp_packet));

	if (!pkt)
		return;
	fill((struct arp_packet *)pkt->data, ARP_REQUEST, net->config.mac, local, target);
	net_frame(net, pkt, mac ? mac : broadcast, ETH_TYPE_ARP);
}

void arp_announce(struct net *net, const struct ip_addr *local)
{
	arp_request(net, local, local, NULL);
}

/* The request becomes its own reply. */
static void reply(struct net *net, struct pkt *pkt, const struct ip_addr *sender,
	const struct ip_addr *target, uint64_t now_us)
{
	struct arp_packet *arp = (struct arp_packet *)(pkt->data + ETH_HEADER_LEN);
	uint8_t asker[ETH_ADDR_LEN];

	if (!net_rate_take(&net->answers, now_us)) {
		net_drop(net, pkt, NET_LIMIT_ANSWER);
		return;
	}
	memcpy(asker, arp->sender_mac, sizeof(asker));
	net_pull(pkt, ETH_HEADER_LEN);
	net_cut(pkt, sizeof(*arp));
	fill(arp, ARP_REPLY, net->config.mac, target, sender);
	memcpy(arp->target_mac, asker, sizeof(arp->target_mac));
	net_count(net, NET_ARP_REPLIES);
	net_frame(net, pkt, asker, ETH_TYPE_ARP);
}

static bool is_well_formed(
	const struct net *net, const struct pkt *pkt, const struct arp_packet *arp)
{
	return pkt->len >= ETH_HEADER_LEN + sizeof(*arp) && wire_get16(arp->hardware) == 1 &&
	       wire_get16(arp->protocol) == ETH_TYPE_IP4 && arp->hardware_len == 6 &&
	       arp->protocol_len == 4 && net_mac_is_other(net, arp->sender_mac);
}

/* A sender that may be kept: on our link, not a probe's 0.0.0.0, not a group. */
static bool is_neighbour(const struct net *net, const struct ip_addr *sender)
{
	uint32_t a = ip_addr_v4_of(sender);

	return a != 0 && a >> 28 < 0xe && net_on_link(net, sender);
}

void arp_input(struct net *net, struct pkt *pkt, uint64_t now_us)
{
	const struct arp_packet *arp = (const void *)(pkt->data + ETH_HEADER_LEN);
	struct ip_addr sender, target;
	struct neigh_news news;
	bool for_us, request;

	if (!is_well_formed(net, pkt, arp)) {
		net_drop(net, pkt, NET_ARP_BAD);
		return;
	}
	sender = ip_addr_v4(wire_get32(arp->sender_ip));
	target = ip_addr_v4(wire_get32(arp->target_ip));
	request = wire_get16(arp->operation) == ARP_REQUEST;
	for_us = net_is_local(net, &target);
	if (net_is_local(net, &sender)) {
		net_drop(net, pkt, NET_ADDRESS_CONFLICT);
		if (net_rate_take(&net->answers, now_us))
			arp_announce(net, &sender);
		return;
	}
	if (!request && wire_get16(arp->operation) != ARP_REPLY) {
		net_drop(net, pkt, NET_ARP_BAD);
		return;
	}
	news = (struct neigh_news){
		.mac = arp->sender_mac,
		.solicited = for_us && !request,
		.override = true,
		.create = for_us && request,
	};
	if (is_neighbour(net, &sender))
		net_learn(net, &sender, &news, now_us);
	if (for_us && request)
		reply(net, pkt, &sender, &target, now_us);
	else
		net_drop(net, pkt, NET_ARP_OTHER);
}
