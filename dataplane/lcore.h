#pragma once

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
	unsigned index;        /* which of the io lcores this is, from 0 */
	unsigned count;        /* how many there are */
	struct net_config net; /* mac, mtu and checksum fields are filled from the port */
	struct tcp_config tcp;
};

int lcore_new(struct port *port, unsigned queue, const struct lcore_config *config, uint64_t now_us,
	struct lcore **out);
void lcore_free(struct lcore *lcore);
struct tcp_stack *lcore_tcp(struct lcore *lcore);
struct net *lcore_net(struct lcore *lcore);

/* Receive one burst, run timers. Returns the packets received: 0 many times in a row means idle. */
unsigned lcore_receive(struct lcore *lcore, uint64_t now_us);
/* Flush TCP and hand frames to the device. Returns the packets sent. */
unsigned lcore_send(struct lcore *lcore, uint64_t now_us);
/* The next time lcore_receive() must run even if no packet comes. */
uint64_t lcore_next_deadline_us(const struct lcore *lcore);
