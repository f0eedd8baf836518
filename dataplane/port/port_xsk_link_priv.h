/* What the kernel says of an interface (rtnetlink(7)), and what of it af_xdp-shared cannot take. */
#pragma once

#include <stdint.h>

#define PORT_XSK_LINK_KIND_MAX 16

struct nlmsghdr;

struct port_xsk_link {
	unsigned type, flags, rx_queues;
	uint32_t mtu;
	uint8_t mac[6];
	char kind[PORT_XSK_LINK_KIND_MAX];   /* of a made interface: vlan, bond, veth ... */
	char member[PORT_XSK_LINK_KIND_MAX]; /* what it is a member of: bond, bridge ... */
};

/* 0 or -errno. */
int port_xsk_link_ask(unsigned ifindex, struct port_xsk_link *link);
/* What an RTM_NEWLINK message says. */
void port_xsk_link_read(const struct nlmsghdr *message, struct port_xsk_link *link);
/* Why such an interface cannot be shared, and what to do; NULL where it can. */
const char *port_xsk_link_refusal(const struct port_xsk_link *link);
