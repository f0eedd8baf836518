#include "dataplane/port/port_xsk_host_priv.h"

#include "dataplane/port/port_host.h"
#include "dataplane/port/steer.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define KIND_MAX  16
#define REPLY_MAX 16384

/* What the kernel says of a link (rtnetlink(7)). */
struct link {
	unsigned type, flags, rx_queues;
	uint32_t mtu;
	uint8_t mac[6];
	char kind[KIND_MAX];   /* of a made interface: vlan, bond, veth ... */
	char member[KIND_MAX]; /* what it is a member of: bond, bridge ... */
};

static int refuse(struct text *why, const char *interface, int error)
{
	text_printf(why, "device af_xdp-shared:%s: ", interface);
	return -error;
}

/* --- the kernel's answer ------------------------------------------------------------------------
 */

static void copy_kind(char out[KIND_MAX], const struct rtattr *a)
{
	snprintf(out, KIND_MAX, "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
}

static void read_kinds(const struct rtattr *info, struct link *link)
{
	unsigned left = (unsigned)RTA_PAYLOAD(info);

	for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_INFO_KIND)
			copy_kind(link->kind, a);
		else if (a->rta_type == IFLA_INFO_SLAVE_KIND)
			copy_kind(link->member, a);
	}
}

static void read_attributes(const struct nlmsghdr *message, struct link *link)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	unsigned left = (unsigned)IFLA_PAYLOAD(message);

	link->type = info->ifi_type;
	link->flags = info->ifi_flags;
	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		switch (a->rta_type) {
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

static int ask_link(unsigned ifindex, struct link *link)
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
		read_attributes(message, link);
	close(fd);
	return rc;
}

/* --- what is refused ----------------------------------------------------------------------------
 */

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

static int check_kind(const char *interface, const struct link *link, struct text *why)
{
	int rc;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(refused[i].member ? link->member : link->kind, refused[i].kind) != 0)
			continue;
		rc = refuse(why, interface, EOPNOTSUPP);
		text_printf(why, "%s", refused[i].reason);
		return rc;
	}
	if (link->type != ARPHRD_ETHER) {
		rc = refuse(why, interface, EOPNOTSUPP);
		text_printf(why, "it is no Ethernet interface");
		return rc;
	}
	if (!(link->flags & IFF_UP)) {
		rc = refuse(why, interface, ENETDOWN);
		text_printf(why, "the interface is down; ip link set %s up", interface);
		return rc;
	}
	return 0;
}

static bool kernel_has(const struct ifaddrs *all, const struct ip_addr *wanted)
{
	for (; all; all = all->ifa_next) {
		struct ip_addr addr;

		if (port_host_address(all->ifa_addr, &addr) && ip_addr_eq(&addr, wanted))
			return true;
	}
	return false;
}

/* Nobody but the kernel answers for our addresses (ARP, NDP, ping), so it must have them. */
static int check_addresses(
	const char *interface, const struct port_config *config, struct text *why)
{
	struct ifaddrs *all;
	int rc = 0;

	if (config->n_addresses == 0 || config->n_ports == 0) {
		rc = refuse(why, interface, EINVAL);
		text_printf(why, "needs the addresses and ports to take from the kernel");
		return rc;
	}
	if (getifaddrs(&all) < 0)
		return 0;
	for (unsigned i = 0; rc == 0 && i < config->n_addresses; i++) {
		char text[IP_ADDR_TEXT_MAX];

		if (kernel_has(all, &config->addresses[i].addr))
			continue;
		ip_addr_format(&config->addresses[i].addr, text);
		rc = refuse(why, interface, EADDRNOTAVAIL);
		text_printf(why, "the kernel has no address %s; ip address add %s/LENGTH dev %s",
			text, text, interface);
	}
	freeifaddrs(all);
	return rc;
}

/*
 * Every receive queue has a socket, for what comes to one without is lost; and every lcore has a
 * queue to send by.
 */
static int check_queues(const char *interface, const struct port_config *config,
	struct port_xsk_host *host, struct text *why)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (char *)&channels};
	unsigned most = config->queues * PORT_MAX_FDS;
	const char *word = "combined";
	int rc;

	if (most > STEER_MAX_QUEUES)
		most = STEER_MAX_QUEUES;
	if (port_host_ioctl(interface, SIOCETHTOOL, &request)) {
		host->rx_queues = channels.rx_count + channels.combined_count;
		if (channels.max_combined == 0)
			word = "rx";
	}
	if (host->rx_queues >= config->queues && host->rx_queues <= most)
		return 0;
	rc = refuse(why, interface, EINVAL);
	if (host->rx_queues > most)
		text_printf(why,
			"every receive queue must be served: the interface has %u, and %u io "
			"lcores serve at most %u; ethtool -L %s %s %u",
			host->rx_queues, config->queues, most, interface, word, config->queues);
	else
		text_printf(why,
			"every io lcore needs a receive queue: the interface has %u, lcores.io is "
			"%u; ethtool -L %s %s %u, or fewer lcores",
			host->rx_queues, config->queues, interface, word, config->queues);
	return rc;
}

int port_xsk_host_check(const char *interface, const struct port_config *config,
	struct port_xsk_host *host, struct text *why)
{
	struct link link = {0};
	int rc;

	*host = (struct port_xsk_host){.ifindex = if_nametoindex(interface)};
	if (host->ifindex == 0) {
		rc = refuse(why, interface, ENODEV);
		text_printf(why, "there is no such interface");
		return rc;
	}
	rc = ask_link(host->ifindex, &link);
	if (rc < 0) {
		refuse(why, interface, -rc);
		text_printf(why, "the kernel does not describe it: %s", strerror(-rc));
		return rc;
	}
	memcpy(host->mac, link.mac, sizeof(host->mac));
	host->mtu = link.mtu;
	host->rx_queues = link.rx_queues;
	rc = check_kind(interface, &link, why);
	if (rc == 0)
		rc = check_addresses(interface, config, why);
	if (rc == 0)
		rc = check_queues(interface, config, host, why);
	return rc;
}
