#include "dataplane/port/port_xsk_link_priv.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MAX 16384

static void copy_kind(char out[PORT_XSK_LINK_KIND_MAX], const struct rtattr *a)
{
	snprintf(out, PORT_XSK_LINK_KIND_MAX, "%.*s", (int)RTA_PAYLOAD(a),
		(const char *)RTA_DATA(a));
}

static void read_kinds(const struct rtattr *info, struct port_xsk_link *link)
{
	unsigned left = (unsigned)RTA_PAYLOAD(info);

	for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_INFO_KIND)
			copy_kind(link->kind, a);
		else if (a->rta_type == IFLA_INFO_SLAVE_KIND)
			copy_kind(link->member, a);
	}
}

void port_xsk_link_read(const struct nlmsghdr *message, struct port_xsk_link *link)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	unsigned left = (unsigned)IFLA_PAYLOAD(message);

	link->type = info->ifi_type;
	link->flags = info->ifi_flags;
	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		switch (a->rta_type & NLA_TYPE_MASK) {
		case IFLA_MTU: memcpy(&link->mtu, RTA_DATA(a), sizeof(link->mtu)); break;
		case IFLA_NUM_RX_QUEUES:
			memcpy(&link->rx_queues, RTA_DATA(a), sizeof(link->rx_queues));
			break;
		case IFLA_ADDRESS:
			if (RTA_PAYLOAD(a) == sizeof(link->mac))
				memcpy(link->mac, RTA_DATA(a), sizeof(link->mac));
			break;
		case IFLA_LINKINFO: read_kinds(a, link); break;
		default: break;
		}
	}
}

int port_xsk_link_ask(unsigned ifindex, struct port_xsk_link *link)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST},
		.info = {.ifi_index = (int)ifindex},
	};
	_Alignas(struct nlmsghdr) char reply[REPLY_MAX];
	const struct nlmsghdr *message = (const void *)reply;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = send(fd, &request, sizeof(request), 0);
	if (len >= 0)
		len = recv(fd, reply, sizeof(reply), 0);
	if (len < 0)
		rc = -errno;
	else if (!NLMSG_OK(message, (size_t)len) || message->nlmsg_type != RTM_NEWLINK)
		rc = -EPROTO;
	else
		port_xsk_link_read(message, link);
	close(fd);
	return rc;
}

/* Devices whose frames come in, or go out, by another one. */
static const struct {
	const char *kind;
	bool member; /* it is this of which the interface is a member */
	const char *reason;
} refused[] = {
	{"vlan", false,
		"it is a VLAN: a program there would see its frames only after the driver; give "
		"the port's VLAN to an interface of its own, untagged, or use a kernel listener"},
	{"bond", false, "it is a bond: its frames come in by its members; use one NIC without it"},
	{"team", false, "it is a team: its frames come in by its members; use one NIC without it"},
	{"bond", true, "it is a member of a bond, which shares flows with others; take it out"},
	{"team", true, "it is a member of a team, which shares flows with others; take it out"},
	{"bridge", true,
		"it is a port of a bridge, which has the addresses; take it out and put the "
		"addresses on it"},
};

const char *port_xsk_link_refusal(const struct port_xsk_link *link)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(refused[i].member ? link->member : link->kind, refused[i].kind) == 0)
			return refused[i].reason;
	}
	return link->type == ARPHRD_ETHER ? NULL : "it is no Ethernet interface";
}
