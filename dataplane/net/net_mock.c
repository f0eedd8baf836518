#include "dataplane/net/net_mock.h"

#include "dataplane/port/checksum.h"

#include <stdlib.h>

#define MOCK_ROOM 1600

static struct pkt *make(struct mock *m, uint16_t headroom, uint16_t room)
{
	struct pkt *pkt = malloc(sizeof(*pkt));
	uint8_t *buf = malloc((size_t)headroom + room ? (size_t)headroom + room : 1);

	if (!pkt || !buf)
		abort();
	*pkt = (struct pkt){.pool = &m->pool,
		.data = buf + headroom,
		.headroom = headroom,
		.tailroom = room,
		.true_size = 2048};
	m->live++;
	return pkt;
}

static struct pkt *mock_alloc(struct pkt_pool *pool)
{
	struct mock *m = (struct mock *)pool;

	return m->live < m->limit ? make(m, PKT_TX_HEADROOM, MOCK_ROOM) : NULL;
}

static void mock_free(struct pkt_pool *pool, struct pkt *pkt)
{
	struct mock *m = (struct mock *)pool;

	m->live--;
	free(pkt->data - pkt->headroom);
	free(pkt);
}

struct ip_addr mock_addr(const char *text)
{
	struct ip_addr addr;

	if (ip_addr_parse(bytes_str(text), &addr) < 0)
		abort();
	return addr;
}

struct net_config mock_config(void)
{
	struct net_config config = {
		.mac = MOCK_MAC,
		.mtu = MOCK_MTU,
		.addresses = {{mock_addr(MOCK_OUR4), 120}, {mock_addr(MOCK_OUR6), 64}},
		.n_addresses = 2,
		.gateway4 = mock_addr("192.0.2.254"),
		.gateway6 = mock_addr("fe80::254"),
		.hash_key = {0x0123456789abcdef, 0xfedcba9876543210},
	};

	return config;
}

void mock_init_config(struct mock *m, const struct net_config *config)
{
	*m = (struct mock){.pool = {mock_alloc, mock_free}, .now_us = 1000000, .limit = 8192};
	m->net = malloc(net_size());
	if (!m->net)
		abort();
	net_init(m->net, config, &m->pool, m->now_us);
}

void mock_init(struct mock *m)
{
	struct net_config config = mock_config();
	struct frame f;

	mock_init_config(m, &config);
	m->net->announcements_left = 0;
	while (mock_sent(m, &f))
		;
}

unsigned mock_fini(struct mock *m)
{
	net_fini(m->net);
	free(m->net);
	return m->live;
}

struct mock mock_shared;

int mock_set_up(void **state)
{
	(void)state;
	mock_init(&mock_shared);
	return 0;
}

int mock_tear_down(void **state)
{
	(void)state;
	return mock_fini(&mock_shared) == 0 ? 0 : -1; /* a packet was lost */
}

struct pkt *mock_packet(struct mock *m, uint8_t fill, uint16_t len)
{
	struct pkt *pkt = mock_alloc(&m->pool);

	if (!pkt)
		abort();
	memset(pkt->data, fill, len);
	pkt->len = len;
	pkt->tailroom = (uint16_t)(pkt->tailroom - len);
	return pkt;
}

void frame_put(struct frame *f, const void *data, size_t len)
{
	if (f->len + len > sizeof(f->data))
		abort();
	if (len)
		memcpy(f->data + f->len, data, len);
	f->len += len;
}

void frame_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
	struct eth_header eth;

	memcpy(eth.dst, dst, 6);
	memcpy(eth.src, src, 6);
	wire_put16(eth.type, type);
	frame_put(f, &eth, sizeof(eth));
}

void frame_ip4(
	struct frame *f, const char *src, const char *dst, uint8_t protocol, size_t payload_len)
{
	struct ip4_header ip = {.version_ihl = 0x45, .ttl = 64, .protocol = protocol};
	struct ip_addr from = mock_addr(src), to = mock_addr(dst);

	wire_put16(ip.total_len, (uint16_t)(IP4_HEADER_LEN + payload_len));
	memcpy(ip.src, from.octets + 12, 4);
	memcpy(ip.dst, to.octets + 12, 4);
	checksum_store(ip.checksum, checksum(&ip, sizeof(ip)));
	frame_put(f, &ip, sizeof(ip));
}

void frame_fix_ip4(struct frame *f)
{
	struct ip4_header *ip = (struct ip4_header *)(f->data + ETH_HEADER_LEN);

	checksum_store(ip->checksum, 0);
	checksum_store(ip->checksum, checksum(ip, (ip->version_ihl & 0xfu) * 4));
}

void frame_ip6(struct frame *f, const char *src, const char *dst, uint8_t next, size_t payload_len)
{
	struct ip6_header ip = {.version_class_flow = {0x60}, .next = next, .hop_limit = 255};
	struct ip_addr from = mock_addr(src), to = mock_addr(dst);

	wire_put16(ip.payload_len, (uint16_t)payload_len);
	memcpy(ip.src, from.octets, 16);
	memcpy(ip.dst, to.octets, 16);
	frame_put(f, &ip, sizeof(ip));
}

/* Where a protocol keeps its checksum; 0: it has none. */
static unsigned checksum_at(uint8_t protocol)
{
	switch (protocol) {
	case IP_PROTO_TCP: return TCP_CHECKSUM_AT;
	case IP_PROTO_ICMP:
	case IP_PROTO_ICMP6: return ICMP_CHECKSUM_AT;
	default: return 0;
	}
}

void frame_packet(struct frame *f, const char *src, const char *dst, uint8_t protocol,
	const void *payload, size_t len)
{
	static const uint8_t our_mac[6] = MOCK_MAC, peer_mac[6] = MOCK_PEER;
	struct ip_addr from = mock_addr(src), to = mock_addr(dst);
	bool v4 = ip_addr_is_v4(&from);
	unsigned at = checksum_at(protocol);
	uint8_t mac[6];
	uint64_t sum;

	memcpy(mac, our_mac, sizeof(mac));
	if (!v4 && to.octets[0] == 0xff) {
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, to.octets + 12, 4);
	}
	f->len = 0;
	frame_eth(f, mac, peer_mac, v4 ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
	if (v4)
		frame_ip4(f, src, dst, protocol, len);
	else
		frame_ip6(f, src, dst, protocol, len);
	frame_put(f, payload, len);
	if (!at || len < at + 2)
		return;
	checksum_store(f->data + f->len - len + at, 0);
	sum = protocol == IP_PROTO_ICMP ? 0 : checksum_pseudo(&from, &to, protocol, (uint16_t)len);
	sum = checksum_add(sum, f->data + f->len - len, len);
	checksum_store(f->data + f->len - len + at, checksum_finish(sum));
}

void frame_tcp(struct frame *f, const char *src, const char *dst, size_t data_len)
{
	uint8_t segment[1480] = {0x9c, 0x40, 0, 25, 1, 2, 3, 4, [12] = 0x50, [13] = 0x10};

	if (TCP_HEADER_LEN + data_len > sizeof(segment))
		abort();
	for (size_t i = 0; i < data_len; i++)
		segment[TCP_HEADER_LEN + i] = (uint8_t)i;
	frame_packet(f, src, dst, IP_PROTO_TCP, segment, TCP_HEADER_LEN + data_len);
}

void frame_arp(struct frame *f, uint16_t operation, const uint8_t sender_mac[6], const char *sender,
	const char *target)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, our_mac[6] = MOCK_MAC;
	uint8_t arp[28] = {0, 1, 8, 0, 6, 4};
	struct ip_addr from = mock_addr(sender), to = mock_addr(target);

	wire_put16(arp + 6, operation);
	memcpy(arp + 8, sender_mac, 6);
	memcpy(arp + 14, from.octets + 12, 4);
	memcpy(arp + 24, to.octets + 12, 4);
	f->len = 0;
	frame_eth(f, operation == 1 ? all : our_mac, sender_mac, ETH_TYPE_ARP);
	frame_put(f, arp, sizeof(arp));
}

/* The buffer ends where the frame does, so that a sanitizer sees every octet read past it. */
enum net_verdict mock_input_keep(struct mock *m, const struct frame *f, uint16_t flags,
	struct net_segment *seg, struct net_icmp *icmp, struct pkt **out)
{
	struct pkt *pkt = make(m, 0, (uint16_t)f->len);
	enum net_verdict verdict;

	memcpy(pkt->data, f->data, f->len);
	pkt->len = (uint16_t)f->len;
	pkt->tailroom = 0;
	pkt->flags = flags;
	verdict = net_input(m->net, pkt, m->now_us, seg, icmp);
	*out = verdict == NET_TCP ? pkt : NULL;
	return verdict;
}

enum net_verdict mock_input_out(
	struct mock *m, const struct frame *f, struct net_segment *seg, struct net_icmp *icmp)
{
	struct pkt *pkt;
	enum net_verdict verdict = mock_input_keep(m, f, 0, seg, icmp, &pkt);

	if (pkt)
		pkt_free(pkt);
	return verdict;
}

enum net_verdict mock_input(struct mock *m, const struct frame *f)
{
	struct net_segment seg;
	struct net_icmp icmp;

	return mock_input_out(m, f, &seg, &icmp);
}

bool mock_sent(struct mock *m, struct frame *f)
{
	struct pkt *pkt;

	if (net_take_tx(m->net, &pkt, 1) == 0)
		return false;
	f->len = 0;
	frame_put(f, pkt->data, pkt->len);
	pkt_free(pkt);
	return true;
}

uint64_t mock_count(const struct mock *m, enum net_counter id)
{
	return counter_get(&m->net->counters.v[id]);
}
