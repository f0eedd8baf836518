/*
 * Frames of any content into the network layer. The input is a row of {16 bits length, 8 bits of
 * time and of REPAIR, frame}; buffers end where the frame does. Every packet must be accounted for,
 * and a segment that comes out must lie inside its packet.
 */
#include "dataplane/net/net_mock.h"
#include "dataplane/port/checksum.h"

#include <stdlib.h>

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* A fuzzer cannot guess checksums, so frames with this bit get right ones. */
#define REPAIR 0x80

static void repair(struct frame *f)
{
	static const uint8_t our_mac[6] = MOCK_MAC;
	uint8_t *ip = f->data + ETH_HEADER_LEN;
	size_t at = ETH_HEADER_LEN + IP4_HEADER_LEN, left;
	uint64_t sum = 0;

	if (f->len < ETH_HEADER_LEN + IP6_HEADER_LEN + 8)
		return;
	if (!(f->data[0] & 1))
		memcpy(f->data, our_mac, sizeof(our_mac));
	if (ip[0] >> 4 == 6) {
		struct ip_addr src = ip_addr_v6(ip + 8), dst = ip_addr_v6(ip + 24);

		at = ETH_HEADER_LEN + IP6_HEADER_LEN;
		sum = checksum_pseudo(&src, &dst, IP_PROTO_ICMP6, wire_get16(ip + 4));
	} else {
		ip[0] = 0x45;
		frame_fix_ip4(f);
	}
	left = f->len - at;
	checksum_store(f->data + at + ICMP_CHECKSUM_AT, 0);
	sum = checksum_add(sum, f->data + at, left);
	checksum_store(f->data + at + ICMP_CHECKSUM_AT, checksum_finish(sum));
}

static void check_segment(const struct mock *m, struct pkt *pkt, const struct net_segment *seg)
{
	require(pkt->l3 == ETH_HEADER_LEN && pkt->l4 > pkt->l3);
	require(pkt->l4 + TCP_HEADER_LEN <= pkt->len);
	require(net_is_local(m->net, &seg->dst) && !net_is_local(m->net, &seg->src));
	pkt_free(pkt);
}

static void check_sent(struct mock *m)
{
	static const uint8_t our_mac[6] = MOCK_MAC;
	struct frame f;

	while (mock_sent(m, &f)) {
		require(f.len >= ETH_HEADER_LEN && f.len <= ETH_HEADER_LEN + MOCK_MTU);
		require(memcmp(f.data + 6, our_mac, 6) == 0);
		require(memcmp(f.data, our_mac, 6) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mock m;

	mock_init(&m);
	while (size >= 3) {
		struct frame f = {.len = wire_get16(data) % (sizeof(f.data) + 1)};
		struct net_segment seg;
		struct net_icmp icmp;
		struct pkt *pkt;
		bool repaired = data[2] & REPAIR;

		m.now_us += (uint64_t)(data[2] & ~REPAIR) * 40000;
		data += 3;
		size -= 3;
		f.len = f.len < size ? f.len : size;
		memcpy(f.data, data, f.len);
		data += f.len;
		size -= f.len;
		if (repaired)
			repair(&f);
		if (mock_input_keep(&m, &f, PKT_RX_L4_GOOD, &seg, &icmp, &pkt) == NET_TCP)
			check_segment(&m, pkt, &seg);
		net_timers(m.net, m.now_us);
		check_sent(&m);
		require(m.live == m.net->neigh.n_pending);
	}
	require(mock_fini(&m) == 0);
	return 0;
}
