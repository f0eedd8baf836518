/*
 * What the io lcores of one device pass to each other (DESIGN §3): segments and ICMP errors of
 * flows that are another's, and what they learn of neighbours. One single-producer single-consumer
 * ring for each ordered pair; a full ring drops and its producer counts.
 */
#pragma once

#include "base/doorbell.h"
#include "dataplane/net/net.h"
#include "dataplane/pkt.h"
#include "dataplane/port/port.h"
#include "dataplane/port/rss.h"

/* Things that wait on the way from one lcore to another. */
#define LCORE_MESH_RING 1024

enum lcore_item_kind { LCORE_SEGMENT, LCORE_ICMP, LCORE_NEWS };

struct lcore_item {
	enum lcore_item_kind kind;
	struct pkt *pkt; /* of a segment; the receiver owns it */
	union {
		struct net_segment segment;
		struct net_icmp icmp;
		struct net_news news;
	};
};

struct lcore_mesh;

/*
 * For `count` lcores (2 to PORT_MAX_QUEUES); `rss_key` decides whose a flow is, random per boot.
 * 0, -EINVAL or -ENOMEM. Outlives its lcores.
 */
int lcore_mesh_new(unsigned count, const uint8_t rss_key[RSS_KEY_LEN], struct lcore_mesh **out);
void lcore_mesh_free(struct lcore_mesh *mesh);

/* Before lcores run: what wakes one that sleeps. */
void lcore_mesh_set_bell(struct lcore_mesh *mesh, unsigned lcore, struct doorbell *bell);

/* The lcore of the flow whose packets come from peer:peer_port to local:local_port. */
unsigned lcore_mesh_owner(const struct lcore_mesh *mesh, const struct ip_addr *peer,
	uint16_t peer_port, const struct ip_addr *local, uint16_t local_port);

/* By lcore `from`: false if the ring is full, and the item stays the caller's. */
bool lcore_mesh_pass(
	struct lcore_mesh *mesh, unsigned from, unsigned to, const struct lcore_item *item);
/* By lcore `from`, after passing: wake those that sleep and were passed something. */
void lcore_mesh_ring(struct lcore_mesh *mesh, unsigned from);

/* By lcore `to`: take one item that another passed; false when there is none. */
bool lcore_mesh_take(struct lcore_mesh *mesh, unsigned to, struct lcore_item *item);
bool lcore_mesh_waiting(struct lcore_mesh *mesh, unsigned to);
