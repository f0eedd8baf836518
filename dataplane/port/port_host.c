#include "dataplane/port/port_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ip_addr.h"

static int refuse(struct text *why, const struct port_device *device, int error, const char *reason)
{
	text_printf(why, "device %s:%s: %s", port_kind_word(device->kind),
		device->kind == PORT_MEMIF ? device->path : device->name, reason);
	return -error;
}

bool port_host_ioctl(const char *name, unsigned long what, struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done;

	if (fd < 0)
		return false;
	snprintf(request->ifr_name, sizeof(request->ifr_name), "%.15s", name);
	done = ioctl(fd, what, request) == 0;
	close(fd);
	return done;
}

/* Where it cannot be found out, the device itself is to say what is wrong. */
static bool interface_is_up(const char *name)
{
	struct ifreq request = {0};

	return !port_host_ioctl(name, SIOCGIFFLAGS, &request) || request.ifr_flags & IFF_UP;
}

bool port_host_address(const struct sockaddr *sa, struct ip_addr *addr)
{
	if (sa && sa->sa_family == AF_INET) {
		*addr = ip_addr_v4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
		return true;
	}
	if (sa && sa->sa_family == AF_INET6) {
		*addr = ip_addr_v6(((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr);
		return true;
	}
	return false;
}

/* The kernel gives every interface a link-local address by itself; that one does no harm. */
static bool is_link_local(const struct ip_addr *a)
{
	return a->octets[0] == 0xfe && (a->octets[1] & 0xc0) == 0x80;
}

/*
 * On an interface with addresses the kernel would answer the same packets as we (with RST, above
 * all).
 */
static bool interface_has_address(const char *name, char text[IP_ADDR_TEXT_MAX])
{
	struct ifaddrs *all, *one;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (one = all; one && !found; one = one->ifa_next) {
		struct ip_addr addr;

		if (strcmp(one->ifa_name, name) != 0 || !port_host_address(one->ifa_addr, &addr) ||
			is_link_local(&addr))
			continue;
		ip_addr_format(&addr, text);
		found = true;
	}
	freeifaddrs(all);
	return found;
}

/* 0 where the driver does not tell. */
static unsigned count_rx_queues(const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (char *)&channels};

	return port_host_ioctl(name, SIOCETHTOOL, &request)
		       ? channels.rx_count + channels.combined_count
		       : 0;
}

static int check_interface(const struct port_device *device, unsigned queues, struct text *why)
{
	char address[IP_ADDR_TEXT_MAX];
	unsigned rx_queues;

	if (if_nametoindex(device->name) == 0)
		return refuse(why, device, ENODEV, "there is no such interface");
	if (interface_has_address(device->name, address)) {
		refuse(why, device, EADDRINUSE, "the kernel has the address ");
		text_printf(why,
			"%s there and would answer beside us; remove its addresses (ip address "
			"flush "
			"dev %s), or use af_xdp-shared",
			address, device->name);
		return -EADDRINUSE;
	}
	if (!interface_is_up(device->name)) {
		refuse(why, device, ENETDOWN, "the interface is down; ");
		text_printf(why, "ip link set %s up", device->name);
		return -ENETDOWN;
	}
	/* A queue that nobody serves would swallow its share of the flows. */
	rx_queues = count_rx_queues(device->name);
	if (device->kind == PORT_AF_XDP && rx_queues && rx_queues != queues) {
		refuse(why, device, EINVAL, "every receive queue needs its own lcore queue: ");
		text_printf(why, "the interface has %u, we use %u; ethtool -L %s combined %u",
			rx_queues, queues, device->name, queues);
		return -EINVAL;
	}
	return 0;
}

static int check_tap(const struct port_device *device, struct text *why)
{
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return refuse(
			why, device, errno, "cannot open /dev/net/tun (modprobe tun; run as root)");
	if (if_nametoindex(device->name) != 0)
		return refuse(why, device, EEXIST, "an interface of that name is there already");
	return 0;
}

static int check_pci(const struct port_device *device, struct text *why)
{
	char path[96], target[256];
	const char *driver;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.31s", device->name);
	if (access(path, F_OK) < 0)
		return refuse(why, device, ENODEV, "there is no such PCI device");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.31s/driver", device->name);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = 0;
	driver = strrchr(target, '/');
	driver = driver ? driver + 1 : "none";
	/* Mellanox NICs keep their kernel driver under DPDK. */
	if (strcmp(driver, "vfio-pci") == 0 || strncmp(driver, "mlx", 3) == 0)
		return 0;
	refuse(why, device, ENODEV, "");
	text_printf(why, "bound to driver %s; dpdk-devbind.py --bind=vfio-pci %s", driver,
		device->name);
	return -ENODEV;
}

/*
 * The driver does not start on a socket that a killed process has left; one in use is not ours.
 * Asked with the wrong type, so that a server does not notice (a connection that ends at once
 * crashes it).
 */
static int check_memif(const struct port_device *device, struct text *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (device->memif_client || access(device->path, F_OK) < 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	memcpy(address.sun_path, device->path, sizeof(address.sun_path));
	rc = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(fd);
	if (rc == -ECONNREFUSED)
		unlink(device->path);
	else
		return refuse(why, device, EADDRINUSE, "another process serves this socket");
	return 0;
}

int port_host_check(const struct port_device *device, unsigned queues, struct text *why)
{
	switch (device->kind) {
	case PORT_TAP: return check_tap(device, why);
	case PORT_AF_PACKET:
	case PORT_AF_XDP: return check_interface(device, queues, why);
	case PORT_PCI: return check_pci(device, why);
	case PORT_MEMIF: return check_memif(device, why);
	default: return 0;
	}
}

static bool is_packet_socket(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       (domain == AF_PACKET || domain == AF_XDP);
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int port_host_packet_sockets(int **fds, size_t *n)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t room = 16;
	int *list;

	*n = 0;
	if (!dir)
		return -errno;
	list = malloc(room * sizeof(*list));
	while (list && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (!ascii_is_digit(entry->d_name[0]) || !is_packet_socket(fd))
			continue;
		if (*n == room) {
			int *more = realloc(list, 2 * room * sizeof(*list));

			if (!more) {
				free(list);
				list = NULL;
				break;
			}
			list = more;
			room *= 2;
		}
		list[(*n)++] = fd;
	}
	closedir(dir);
	if (!list)
		return -ENOMEM;
	qsort(list, *n, sizeof(*list), compare_fds);
	*fds = list;
	return 0;
}

unsigned port_host_new_packet_socket(const int *before, size_t n, unsigned index, int *fd)
{
	unsigned seen = 0, found = 0;
	size_t n_now;
	int *now;

	if (port_host_packet_sockets(&now, &n_now) < 0)
		return 0;
	for (size_t i = 0; i < n_now && !found; i++) {
		if (bsearch(&now[i], before, n, sizeof(*before), compare_fds))
			continue;
		if (seen++ == index) {
			*fd = now[i];
			found = 1;
		}
	}
	free(now);
	return found;
}

void (*port_host_quiet_tap(int fd))(int)
{
	struct sigaction action;
	int flags = fcntl(fd, F_GETFL), sig = fcntl(fd, F_GETSIG);

	if (flags < 0 || sig <= 0 || !(flags & O_ASYNC) || sigaction(sig, NULL, &action) < 0)
		return NULL;
	if (action.sa_flags & SA_SIGINFO || action.sa_handler == SIG_DFL ||
		action.sa_handler == SIG_IGN)
		return NULL;
	if (fcntl(fd, F_SETFL, flags & ~O_ASYNC) < 0)
		return NULL;
	return action.sa_handler;
}
