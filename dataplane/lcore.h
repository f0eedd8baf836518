#pragma once

#include "dataplane/lcore_mesh.h"
#include "dataplane/net/capture.h"
#include "dataplane/net/net.h"
#include "dataplane/port/port.h"
#include "dataplane/tcp/tcp.h"

/*
 * One io lcore's share of the dataplane: a queue of a port, its network layer and its TCP stack,
 * run as poll rounds. The gateway calls lcore_receive(), serves what tcp_next_ready() yields and
 * calls lcore_send().
 */
struct lcore;

struct lcore_config {
	unsigned index; /* which of the io lcores this is, from 0 */
	unsigned count; /* how many there are */
	/*
	 * Joins the lcores of one device; NULL where this is its only one. Flows then go by hash,
	 * whichever queue their packets come to. Connections that lcores open themselves
	 * (tcp_connect()) are found only where there is one lcore.
	 */
	struct lcore_mesh *mesh;
	struct net_config net; /* what depends on port and mesh is filled in */
	struct tcp_config tcp;
};

int lcore_new(struct port *port, unsigned queue, const struct lcore_config *config, uint64_t now_us,
	struct lcore **out);
void lcore_free(struct lcore *lcore);
struct tcp_stack *lcore_tcp(struct lcore *lcore);
struct net *lcore_net(struct lcore *lcore);

struct counter_block;
const struct counter_block *lcore_counters(const struct lcore *lcore);

/* Receive one burst, run timers. Returns the packets received: 0 many times in a row means idle. */
unsigned lcore_receive(struct lcore *lcore, uint64_t now_us);
/* Flush TCP and hand frames to the device. Returns the packets sent. */
unsigned lcore_send(struct lcore *lcore, uint64_t now_us);
/* Copy frames into `capture` from now on; NULL: no more. */
void lcore_set_capture(struct lcore *lcore, struct capture *capture);
/* The next time lcore_receive() must run even if no packet comes. */
uint64_t lcore_next_deadline_us(const struct lcore *lcore);

/*
 * Packets from other lcores wait. A sleeper looks here between doorbell_prepare() and sleep; its
 * doorbell is lcore_mesh_set_bell()'s.
 */
bool lcore_has_work(const struct lcore *lcore);
