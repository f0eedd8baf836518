#pragma once

#include <stdint.h>

/*
 * A packet buffer as the stack sees it, whichever device it came from.
 *
 * A packet has one owner. A device lays `struct pkt` before (or in the private area of) its own
 * buffer, so passing one on costs nothing; a test makes one with malloc. What the owner no longer
 * needs it gives to pkt_free().
 */
struct pkt;

struct pkt_pool {
	/* A packet with data at its transmit headroom and len 0; NULL when the pool is empty. */
	struct pkt *(*alloc)(struct pkt_pool *pool);
	void (*free)(struct pkt_pool *pool, struct pkt *pkt);
};

enum pkt_flags {
	PKT_RX_L4_GOOD = 1 << 0,  /* the device has checked the TCP checksum */
	PKT_RX_L4_BAD = 1 << 1,   /* ... and found it wrong */
	PKT_TX_L4_CSUM = 1 << 2,  /* the TCP/ICMPv6 checksum field is still to be filled */
	PKT_TX_IP4_CSUM = 1 << 3, /* so is the IPv4 header checksum */
};

/* Octets kept free before `data` of a packet made for transmission: Ethernet + IPv6 + TCP options. */
#define PKT_TX_HEADROOM 128

struct pkt {
	struct pkt *next; /* for whichever list its owner keeps */
	struct pkt_pool *pool;
	uint8_t *data;	   /* first octet (of the Ethernet frame on receive) */
	uint16_t len;	   /* octets from data on */
	uint16_t tailroom; /* octets free behind data + len */
	uint16_t headroom; /* octets free before data */
	uint16_t flags;	   /* enum pkt_flags */
	uint16_t l3;	   /* offset of the IP header from data */
	uint16_t l4;	   /* offset of the TCP or ICMP header from data */
	uint32_t rss;	   /* flow hash, 0 if the device gave none */
	uint32_t true_size; /* memory that this packet pins, for accounting */
};

static inline void pkt_free(struct pkt *pkt)
{
	pkt->pool->free(pkt->pool, pkt);
}
