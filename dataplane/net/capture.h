#pragma once

#include "base/counters.h"
#include "base/ip_addr.h"
#include "base/spsc.h"
#include "dataplane/pkt.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Copies of what one lcore receives and sends, for `postern capture`, since the kernel's tcpdump
 * does not see it. The lcore puts them into a bounded ring and never waits: what the ring has no
 * room for is counted and left out. Another thread takes them.
 */

#define CAPTURE_RING 2048 /* packets that may wait: 4 MiB a lcore, while a capture is on */
#define CAPTURE_SNAP 2032 /* octets kept of each packet */

struct capture_packet {
	uint64_t time_us; /* monotonic, of the poll round */
	uint32_t wire_len;
	uint16_t len;
	uint8_t octets[CAPTURE_SNAP];
};

struct capture {
	struct spsc ring;
	struct capture_packet *packets;
	uint64_t until_us; /* nothing is copied from then on */
	bool has_peer;
	struct ip_addr peer; /* only what goes to or comes from it, and asks for it */
	_Alignas(64) counter dropped;
};

/* Of all packets, or those of one peer (NULL: all). 0 or -ENOMEM. */
int capture_new(const struct ip_addr *peer, uint64_t until_us, struct capture **out);
void capture_free(struct capture *capture);

/* The lcore: Ethernet frames. Returns how many did not fit. */
unsigned capture_add(struct capture *capture, struct pkt *const *pkts, unsigned n, uint64_t now_us);

/* The other thread: the oldest packet, until capture_pop(); NULL: none. */
const struct capture_packet *capture_peek(struct capture *capture);
void capture_pop(struct capture *capture);
/* Any thread: packets that did not fit. */
uint64_t capture_dropped(const struct capture *capture);
