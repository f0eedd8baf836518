/* A network layer on malloc buffers with virtual time, and frames to feed it, for tests. */
#pragma once

#include "dataplane/net/net_priv.h"

#define MOCK_MAC                                                                                   \
	{                                                                                          \
		0x02, 0, 0, 0, 0, 0x02                                                             \
	}
#define MOCK_PEER                                                                                  \
	{                                                                                          \
		0x02, 0, 0, 0, 0, 0x01                                                             \
	}
#define MOCK_OUR4 "192.0.2.2"   /* /24, gateway 192.0.2.254 */
#define MOCK_OUR6 "2001:db8::2" /* /64, gateway fe80::254 */
#define MOCK_MTU  1500

struct mock {
	struct pkt_pool pool; /* first member: the pool finds its mock */
	struct net *net;
	uint64_t now_us;
	unsigned live;  /* packets out of the pool */
	unsigned limit; /* the pool is empty at this many */
};

/* A network layer as configured above, its first announcements taken away; or as `config` says. */
void mock_init(struct mock *m);
void mock_init_config(struct mock *m, const struct net_config *config);
struct net_config mock_config(void);
/* Frees all; returns how many packets were never given back. */
unsigned mock_fini(struct mock *m);

/* One for tests that need no other configuration, and cmocka fixtures that make and end it. */
extern struct mock mock_shared;
int mock_set_up(void **state);
int mock_tear_down(void **state);

/* A packet to transmit of `len` octets with `fill` as its content. */
struct pkt *mock_packet(struct mock *m, uint8_t fill, uint16_t len);

struct frame {
	uint8_t data[2048];
	size_t len;
};

struct ip_addr mock_addr(const char *text);

/* Every frame_ function appends to the frame; lengths and checksums are right until spoilt. */
void frame_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type);
void frame_put(struct frame *f, const void *data, size_t len);
void frame_ip4(
	struct frame *f, const char *src, const char *dst, uint8_t protocol, size_t payload_len);
void frame_ip6(struct frame *f, const char *src, const char *dst, uint8_t next, size_t payload_len);
/* From peer to us: Ethernet and IP header (of the family of `src`) with what follows them,
 * checksummed. */
void frame_packet(struct frame *f, const char *src, const char *dst, uint8_t protocol,
	const void *payload, size_t len);
/* A TCP segment without options, ports 40000 to 25, sequence number 0x01020304. */
void frame_tcp(struct frame *f, const char *src, const char *dst, size_t data_len);
void frame_arp(struct frame *f, uint16_t operation, const uint8_t sender_mac[6], const char *sender,
	const char *target);
/* Put the right IPv4 header checksum into a frame that was changed. */
void frame_fix_ip4(struct frame *f);

/* Give the frame to the network layer; a segment that comes out is freed. */
enum net_verdict mock_input(struct mock *m, const struct frame *f);
enum net_verdict mock_input_out(
	struct mock *m, const struct frame *f, struct net_segment *seg, struct net_icmp *icmp);
/* The same without freeing what is NET_TCP; *pkt is NULL otherwise. */
enum net_verdict mock_input_keep(struct mock *m, const struct frame *f, uint16_t flags,
	struct net_segment *seg, struct net_icmp *icmp, struct pkt **pkt);
/* The next frame that was sent; false if there is none. */
bool mock_sent(struct mock *m, struct frame *f);
uint64_t mock_count(const struct mock *m, enum net_counter id);
