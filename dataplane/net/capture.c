#include "dataplane/net/capture.h"

#include "dataplane/wire.h"

#include <errno.h>
#include <stdlib.h>

/* Of an ARP packet over Ethernet (RFC 826): where the addresses of sender and target lie. */
#define ARP_LEN       28
#define ARP_SENDER_AT 14
#define ARP_TARGET_AT 24

int capture_new(const struct ip_addr *peer, uint64_t until_us, struct capture **out)
{
	struct capture *c = aligned_alloc(64, (sizeof(*c) + 63) / 64 * 64);

	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof(*c));
	c->until_us = until_us;
	c->has_peer = peer != NULL;
	if (peer)
		c->peer = *peer;
	c->packets = calloc(CAPTURE_RING, sizeof(*c->packets));
	if (!c->packets) {
		free(c);
		return -ENOMEM;
	}
	spsc_init(&c->ring, c->packets, sizeof(*c->packets), CAPTURE_RING);
	*out = c;
	return 0;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	free(capture->packets);
	free(capture);
}

static bool is_peer4(const struct capture *c, const uint8_t a[4], const uint8_t b[4])
{
	const uint8_t *peer = c->peer.octets + 12;

	return ip_addr_is_v4(&c->peer) && (memcmp(a, peer, 4) == 0 || memcmp(b, peer, 4) == 0);
}

/* Whether the frame has the peer's address in it; the frame may be anything. */
static bool is_of_peer(const struct capture *c, const struct pkt *pkt)
{
	const struct eth_header *eth = (const void *)pkt->data;
	const uint8_t *at = pkt->data + ETH_HEADER_LEN;
	const struct ip4_header *ip4 = (const void *)at;
	const struct ip6_header *ip6 = (const void *)at;
	unsigned len = pkt->len - ETH_HEADER_LEN;

	if (pkt->len < ETH_HEADER_LEN)
		return false;
	switch (wire_get16(eth->type)) {
	case ETH_TYPE_IP4: return len >= IP4_HEADER_LEN && is_peer4(c, ip4->src, ip4->dst);
	case ETH_TYPE_IP6:
		return len >= IP6_HEADER_LEN && (memcmp(ip6->src, c->peer.octets, 16) == 0 ||
							memcmp(ip6->dst, c->peer.octets, 16) == 0);
	case ETH_TYPE_ARP:
		return len >= ARP_LEN && is_peer4(c, at + ARP_SENDER_AT, at + ARP_TARGET_AT);
	default: return false;
	}
}

static bool copy(struct capture *c, const struct pkt *pkt, uint64_t now_us)
{
	struct capture_packet *packet = spsc_reserve(&c->ring);

	if (!packet) {
		counter_inc(&c->dropped);
		return false;
	}
	packet->time_us = now_us;
	packet->wire_len = pkt->len;
	packet->len = pkt->len < CAPTURE_SNAP ? pkt->len : CAPTURE_SNAP;
	memcpy(packet->octets, pkt->data, packet->len);
	spsc_commit(&c->ring);
	return true;
}

unsigned capture_add(struct capture *capture, struct pkt *const *pkts, unsigned n, uint64_t now_us)
{
	unsigned dropped = 0;

	if (now_us >= capture->until_us)
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (!capture->has_peer || is_of_peer(capture, pkts[i]))
			dropped += !copy(capture, pkts[i], now_us);
	return dropped;
}

const struct capture_packet *capture_peek(struct capture *capture)
{
	return spsc_peek(&capture->ring);
}

void capture_pop(struct capture *capture)
{
	spsc_pop(&capture->ring);
}

uint64_t capture_dropped(const struct capture *capture)
{
	return counter_get(&capture->dropped);
}
