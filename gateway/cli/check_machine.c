#include "gateway/cli/check_machine.h"

#include "dataplane/port/port.h"
#include "gateway/lmtp_tls.h"
#include "gateway/memory_plan.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
	const char *path;
	const struct config *config;
	struct ifaddrs *addresses; /* the machine's own; NULL: not known */
	bool good;
};

static void say(struct check *check, bool fatal, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct check *check, bool fatal, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: %s", check->path, fatal ? "" : "warning: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (fatal)
		check->good = false;
}

/* --- devices ------------------------------------------------------------------------------------
 */

static bool address_of(const struct ifaddrs *entry, struct ip_addr *addr)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)entry->ifa_addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)entry->ifa_addr;

	if (!entry->ifa_addr)
		return false;
	if (entry->ifa_addr->sa_family == AF_INET)
		*addr = ip_addr_v4(ntohl(v4->sin_addr.s_addr));
	else if (entry->ifa_addr->sa_family == AF_INET6)
		*addr = ip_addr_v6(v6->sin6_addr.s6_addr);
	else
		return false;
	return true;
}

/* Whether the kernel has that address. */
static bool kernel_has(const struct check *check, const struct ip_addr *wanted)
{
	struct ip_addr addr;

	for (const struct ifaddrs *e = check->addresses; e; e = e->ifa_next)
		if (address_of(e, &addr) && ip_addr_eq(&addr, wanted))
			return true;
	return false;
}

/* The kernel listens on addresses of its own only. */
static void check_addresses(struct check *check, const struct config_listen *listen)
{
	char text[IP_ADDR_TEXT_MAX];

	for (unsigned i = 0; i < listen->n_addresses; i++) {
		const struct ip_addr *addr = &listen->addresses[i].addr;

		if (kernel_has(check, addr))
			continue;
		ip_addr_format(addr, text);
		say(check, false, "listen: %s: the kernel has not %s: it cannot be listened on",
			listen->device, text);
	}
}

/* What the daemon would be refused at its start. */
static void check_device(struct check *check, const struct config_listen *listen)
{
	const struct port_config config = {
		.device = listen->device,
		.queues = check->config->lcores.io,
		.addresses = listen->addresses,
		.n_addresses = listen->n_addresses,
		.ports = listen->ports,
		.n_ports = listen->n_ports,
	};
	char text_buf[512];
	struct text why;

	text_init(&why, text_buf, sizeof(text_buf));
	if (port_check(&config, &why) < 0)
		say(check, true, "listen: %s", text_str(&why));
}

/* Senders beyond the device's own network are answered by way of a gateway. */
static void check_gateway(struct check *check, const struct config_listen *listen)
{
	static const struct ip_addr none;

	for (unsigned i = 0; i < listen->n_addresses; i++) {
		bool v4 = ip_addr_is_v4(&listen->addresses[i].addr);
		const struct ip_addr *gateway = v4 ? &listen->gateway4 : &listen->gateway6;

		if (!ip_addr_eq(gateway, &none))
			continue;
		say(check, false,
			"listen: %s: has no IPv%c gateway: only senders of its own network are "
			"answered",
			listen->device, v4 ? '4' : '6');
		return;
	}
}

static void check_listen(struct check *check, const struct config_listen *listen)
{
	const char *device = listen->device;
	bool shared = strncmp(device, "af_xdp-shared:", 14) == 0;

	if (config_listen_is_kernel(listen)) {
		check_addresses(check, listen);
		return;
	}
	check_device(check, listen);
	if (!shared && strncmp(device, "tap", 3) != 0)
		check_gateway(check, listen);
}

/* --- routes -------------------------------------------------------------------------------------
 */

/* Whether the kernel has a route; asks its tables, no packet leaves. */
static bool has_route(const struct ip_addr *addr)
{
	struct sockaddr_storage to = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
	bool is_v4 = ip_addr_is_v4(addr);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	if (is_v4) {
		*v4 = (struct sockaddr_in){.sin_family = AF_INET,
			.sin_port = htons(53),
			.sin_addr.s_addr = htonl(ip_addr_v4_of(addr))};
	} else {
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(53)};
		memcpy(&v6->sin6_addr, addr->octets, 16);
	}
	found = fd >= 0 &&
		connect(fd, (struct sockaddr *)&to, is_v4 ? sizeof(*v4) : sizeof(*v6)) == 0;
	if (fd >= 0)
		close(fd);
	return found;
}

/* The address that `text` starts with: up to '@', or a port's colon, or in brackets. */
static bool leading_address(const char *text, struct ip_addr *addr)
{
	struct bytes b = bytes_str(text);
	size_t at;

	if (text[0] == '[')
		b = bytes_slice(b, 1, strcspn(text + 1, "]"));
	else if ((at = bytes_find(b, '@')) != BYTES_NPOS)
		b = bytes_slice(b, 0, at);
	if (ip_addr_parse(b, addr) == 0)
		return true;
	at = bytes_find(b, ':');
	return at != BYTES_NPOS && ip_addr_parse(bytes_slice(b, 0, at), addr) == 0;
}

static bool has_pci(const struct config *config)
{
	for (unsigned i = 0; i < config->n_listen; i++)
		if (strncmp(config->listen[i].device, "pci:", 4) == 0)
			return true;
	return false;
}

/* What goes by the kernel needs a NIC that the kernel has (DESIGN §1). */
static void check_route(struct check *check, const char *key, const char *address)
{
	struct ip_addr addr;

	if (leading_address(address, &addr) && !has_route(&addr))
		say(check, has_pci(check->config),
			"%s: %s: the kernel has no route there: this traffic needs an interface "
			"of the kernel's own",
			key, address);
}

/* a.root-servers.net */
#define ROOT_SERVER "198.41.0.4"

static void check_routes(struct check *check)
{
	const struct config *config = check->config;
	struct stat st;

	for (unsigned i = 0; i < config->dns.n_forward; i++)
		check_route(check, "dns.forward", config->dns.forward[i]);
	if (!config->dns.zone && config->dns.n_forward == 0)
		check_route(check, "dns.recursive", ROOT_SERVER);
	for (unsigned i = 0; i < config->delivery.n_backends; i++) {
		const char *lmtp = config->delivery.backends[i].lmtp;

		if (strncmp(lmtp, "tcp:", 4) == 0)
			check_route(check, "delivery.backends", lmtp + 4);
		else if (strncmp(lmtp, "unix:", 5) == 0 && stat(lmtp + 5, &st) != 0)
			say(check, false, "delivery.backends: %s: %s; mail waits in the spool",
				lmtp, strerror(errno));
	}
}

/* --- backends -----------------------------------------------------------------------------------
 */

/* What their certificates are checked by can be read. */
static void check_tls(struct check *check)
{
	char text_buf[512];
	struct lmtp_tls *tls;
	struct text why;

	text_init(&why, text_buf, sizeof(text_buf));
	if (lmtp_tls_new(check->config, &tls, &why) != 0)
		say(check, true, "%s", text_str(&why));
	lmtp_tls_free(tls);
}

/* --- users and memory ---------------------------------------------------------------------------
 */

static void check_user(struct check *check)
{
	const char *user = check->config->control.user, *spool = check->config->spool.path;
	const struct passwd *entry = user ? getpwnam(user) : NULL;
	struct stat st;

	if (!user)
		return;
	if (!entry)
		say(check, true, "control.user: there is no user %s (make it: adduser --system %s)",
			user, user);
	else if (stat(spool, &st) == 0 && st.st_uid != entry->pw_uid)
		say(check, true, "spool.path: %s does not belong to %s (chown -R %s %s)", spool,
			user, user, spool);
}

static void check_memory(struct check *check)
{
	struct memory_plan_line lines[MEMORY_PLAN_LINES];
	unsigned n = memory_plan(check->config, lines);
	uint64_t sum = 0,
		 there = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	for (unsigned i = 0; i < n; i++)
		sum += lines[i].octets;
	if (sum > there)
		say(check, false,
			"the limits may ask for %llu MiB of memory, and the machine has %llu MiB",
			(unsigned long long)(sum >> 20), (unsigned long long)(there >> 20));
}

/* A thread that never sleeps wants a CPU of its own. */
static void check_cpus(struct check *check)
{
	const struct config *config = check->config;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (config->lcores.poll == CONFIG_POLL_BUSY &&
		(long)(config->lcores.io + config->lcores.auth) > cpus)
		say(check, false,
			"lcores.poll: %u io and %u auth lcores that never sleep are more than the "
			"machine's %ld CPUs",
			config->lcores.io, config->lcores.auth, cpus);
}

bool check_machine(const char *path, const struct config *config)
{
	struct check check = {.path = path, .config = config, .good = true};

	if (getifaddrs(&check.addresses) != 0)
		check.addresses = NULL;
	for (unsigned i = 0; i < config->n_listen; i++)
		check_listen(&check, &config->listen[i]);
	check_routes(&check);
	check_tls(&check);
	check_user(&check);
	check_memory(&check);
	check_cpus(&check);
	if (check.addresses)
		freeifaddrs(check.addresses);
	return check.good;
}
