#include "dataplane/port/port_xsk_host_priv.h"

#include "dataplane/port/port_host.h"
#include "dataplane/port/port_xsk_link_priv.h"
#include "dataplane/port/steer.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/socket.h>

static int refuse(struct text *why, const char *interface, int error)
{
	text_printf(why, "device af_xdp-shared:%s: ", interface);
	return -error;
}

static int check_link(const char *interface, struct port_xsk_host *host, struct text *why)
{
	struct port_xsk_link link = {0};
	int rc = port_xsk_link_ask(host->ifindex, &link);
	const char *refusal = rc == 0 ? port_xsk_link_refusal(&link) : strerror(-rc);

	if (refusal) {
		rc = refuse(why, interface, rc < 0 ? -rc : EOPNOTSUPP);
		text_printf(why, "%s", refusal);
		return rc;
	}
	if (!(link.flags & IFF_UP)) {
		rc = refuse(why, interface, ENETDOWN);
		text_printf(why, "the interface is down; ip link set %s up", interface);
		return rc;
	}
	memcpy(host->mac, link.mac, sizeof(host->mac));
	host->mtu = link.mtu;
	host->rx_queues = link.rx_queues;
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
	int rc;

	*host = (struct port_xsk_host){.ifindex = if_nametoindex(interface)};
	if (host->ifindex == 0) {
		rc = refuse(why, interface, ENODEV);
		text_printf(why, "there is no such interface");
		return rc;
	}
	rc = check_link(interface, host, why);
	if (rc == 0)
		rc = check_addresses(interface, config, why);
	if (rc == 0)
		rc = check_queues(interface, config, host, why);
	return rc;
}
