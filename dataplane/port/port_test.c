/*
 * Ports on real devices in a network namespace of this process's own. Needs root; skips otherwise.
 */
#include "dataplane/port/port.h"
#include "dataplane/wire.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SKIPPED 77

static char memif_path[64];
static char why_buf[1024];
static struct text why;

static int try_open(const char *device, unsigned queues, struct port **port)
{
	struct port_config config = {.device = device, .queues = queues, .packets = 2048};
	int rc;

	text_init(&why, why_buf, sizeof(why_buf));
	*port = NULL;
	rc = port_open(&config, port, &why);
	assert_int_equal(rc == 0, *port != NULL);
	assert_null(strchr(text_str(&why), '\n'));
	return rc;
}

static void expect_refused(const char *device, unsigned queues, int error, const char *reason)
{
	struct port *port;

	assert_int_equal(try_open(device, queues, &port), error);
	if (!strstr(text_str(&why), reason))
		fail_msg("\"%s\" does not say \"%s\"", text_str(&why), reason);
}

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void says_what_to_do_about_a_device_it_cannot_have(void **state)
{
	(void)state;
	shell("ip link add pga type veth peer name pgb");
	expect_refused("af_packet:nothere", 1, -ENODEV, "no such interface");
	expect_refused("af_packet:pga", 1, -ENETDOWN, "ip link set pga up");
	shell("ip link set pga up");
	expect_refused("af_xdp:pga", 2, -EINVAL, "ethtool -L pga combined 2");
	shell("ip address add 192.0.2.7/24 dev pga");
	expect_refused("af_packet:pga", 1, -EADDRINUSE, "192.0.2.7");
	shell("ip address flush dev pga; ip address add 2001:db8::7/64 dev pga nodad");
	expect_refused("af_xdp:pga", 1, -EADDRINUSE, "2001:db8::7");
	expect_refused("tap:pga", 1, -EEXIST, "there already");
	expect_refused("pci:0000:ff:1f.7", 1, -ENODEV, "no such PCI device");
	expect_refused("af_xdp-shared:pga", 1, -EINVAL, "addresses and ports");
	expect_refused("af_packet:pga", 0, -EINVAL, "1 to 16");
	expect_refused("memif:server,/nonexistent/postern.sock", 1, -EINVAL, "cannot be");
	shell("ip link del pga");
}

/* Wait until a queue has a packet; its descriptors must say so too, where it has some. */
static unsigned receive(struct port *port, struct pkt **pkts, unsigned n)
{
	struct pollfd fds[PORT_MAX_FDS];
	int raw[PORT_MAX_FDS];
	unsigned n_fds = port_fds(port, 0, raw), got = 0;

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = (struct pollfd){.fd = raw[i], .events = POLLIN};
	for (unsigned tries = 0; got == 0 && tries < 50; tries++) {
		poll(fds, n_fds, n_fds ? 100 : 2);
		got = port_rx(port, 0, pkts, n);
	}
	return got;
}

static struct pkt *make_frame(struct port *port, uint8_t number, uint16_t len)
{
	struct pkt_pool *pool = port_pool(port, 0);
	struct pkt *pkt = pool->alloc(pool);

	assert_non_null(pkt);
	assert_true(pkt->headroom >= PKT_TX_HEADROOM && pkt->tailroom >= 1514);
	assert_int_equal(pkt->len, 0);
	memset(pkt->data, 0xff, 6);
	memcpy(pkt->data + 6, port_get_info(port)->mac, 6);
	memset(pkt->data + 12, 0x88, 2); /* an experimental type */
	memset(pkt->data + 14, number, len - 14u);
	pkt->len = len;
	pkt->tailroom = (uint16_t)(pkt->tailroom - len);
	return pkt;
}

/* Bursts of every size from `a` arrive at `b` as they were sent, and no buffer is lost on the way.
 */
static void exchange(struct port *a, struct port *b)
{
	for (unsigned round = 0; round < 300; round++) {
		unsigned n = 1 + round % PORT_BURST, sent = 0, got = 0;
		uint16_t len = (uint16_t)(60 + round * 4);
		struct pkt *pkts[PORT_BURST];

		for (unsigned i = 0; i < n; i++)
			pkts[i] = make_frame(a, (uint8_t)i, len);
		for (unsigned tries = 0; sent < n && tries < 10000; tries++) {
			sent += port_tx(a, 0, pkts + sent, n - sent);
			if (sent < n)
				usleep(500);
		}
		assert_int_equal(sent, n);
		while (got < n) {
			unsigned more = receive(b, pkts, PORT_BURST);

			assert_true(more > 0);
			for (unsigned i = 0; i < more; i++) {
				if (wire_get16(pkts[i]->data + 12) == 0x8888) {
					assert_int_equal(pkts[i]->len, len);
					assert_int_equal(pkts[i]->data[14], got);
					assert_int_equal(pkts[i]->data[len - 1], got);
					got++;
				}
				pkt_free(pkts[i]);
			}
		}
	}
}

static bool check_stat(void *arg, const char *name, uint64_t value)
{
	if (strcmp(name, "tx_packets") == 0)
		*(uint64_t *)arg = value;
	return true;
}

static void open_pair(const char *first, const char *second)
{
	struct port *a, *b;
	uint64_t sent = 0;

	if (try_open(first, 1, &a) < 0)
		fail_msg("%s", text_str(&why));
	if (try_open(second, 1, &b) < 0)
		fail_msg("%s", text_str(&why));
	assert_int_equal(port_get_info(a)->mtu, 1500);
	assert_int_equal(port_get_info(a)->queues, 1);
	exchange(a, b);
	exchange(b, a);
	port_stats(a, check_stat, &sent);
	assert_true(sent >= 300);
	port_close(b);
	port_close(a);
}

/* The other end of memif needs a process of its own; it sends back whatever comes. */
static void reflect(void)
{
	struct port *port;
	char device[160];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(device, sizeof(device), "memif:client,%s", memif_path);
	text_init(&why, why_buf, sizeof(why_buf));
	if (port_env_init(1, 64, &why) < 0 || port_env_register_thread(0) < 0)
		_exit(1);
	for (unsigned tries = 0; try_open(device, 1, &port) < 0; tries++) {
		if (tries == 100)
			_exit(1);
		usleep(50000);
	}
	for (;;) {
		struct pkt *pkts[PORT_BURST];
		unsigned n = receive(port, pkts, PORT_BURST), sent = 0;

		while (sent < n)
			sent += port_tx(port, 0, pkts + sent, n - sent);
	}
}

/* As a killed process would leave it. */
static void leave_stale_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", memif_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void exchanges_frames_over_memif(void **state)
{
	char device[160];
	struct port *port;

	(void)state;
	leave_stale_socket();
	snprintf(device, sizeof(device), "memif:server,%s", memif_path);
	if (try_open(device, 1, &port) < 0)
		fail_msg("%s", text_str(&why));
	expect_refused(device, 1, -EADDRINUSE, "another process");
	exchange(port, port);
	port_close(port);
	assert_int_equal(access(memif_path, F_OK), -1);
}

static void exchanges_frames_over_af_packet_and_opens_it_again(void **state)
{
	(void)state;
	shell("ip link add pga type veth peer name pgb; ip link set pga up; ip link set pgb up");
	open_pair("af_packet:pga", "af_packet:pgb");
	open_pair("af_packet:pgb", "af_packet:pga");
	shell("ip link del pga");
}

static void a_tap_is_another_station_than_the_kernels_end(void **state)
{
	char command[128];
	struct port *port;
	const uint8_t *mac;
	int fds[PORT_MAX_FDS];

	(void)state;
	if (try_open("tap:pgt", 1, &port) < 0)
		fail_msg("%s", text_str(&why));
	assert_string_equal(port_get_info(port)->kernel_name, "pgt");
	assert_int_equal(port_fds(port, 0, fds), 1);
	mac = port_get_info(port)->mac;
	assert_int_equal(mac[0] & 3, 2); /* of local making, not a group */
	snprintf(command, sizeof(command),
		"! ip link show pgt | grep -q %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		mac[2], mac[3], mac[4], mac[5]);
	shell(command);
	port_close(port);
	shell("! ip link show pgt 2>/dev/null");
}

/* Takes all there is, and gives it back. */
static unsigned drain(struct pkt_pool *pool)
{
	struct pkt *list = NULL, *pkt;
	unsigned n = 0;

	for (; (pkt = pool->alloc(pool)); n++) {
		assert_true(pkt->headroom >= PKT_TX_HEADROOM && pkt->tailroom >= 1514);
		memset(pkt->data - pkt->headroom, (int)n, pkt->headroom + pkt->tailroom);
		pkt->next = list;
		list = pkt;
	}
	while ((pkt = list)) {
		list = pkt->next;
		pkt_free(pkt);
	}
	return n;
}

static void the_pool_gives_out_what_it_was_made_for_and_takes_it_back(void **state)
{
	struct ip_cidr address = {ip_addr_v4(0xc0000207), 120};
	const uint16_t smtp = 25;
	struct port_config config = {.queues = 1,
		.packets = 4096,
		.addresses = &address,
		.n_addresses = 1,
		.ports = &smtp,
		.n_ports = 1};
	static const char *const devices[] = {"tap:pgt", "af_xdp-shared:pga"};

	(void)state;
	shell("ip link add pga type veth peer name pgb; ip link set pga up; ip link set pgb up;"
	      "ip address add 192.0.2.7/24 dev pga");
	for (unsigned i = 0; i < 2; i++) {
		struct port *port;
		unsigned first;

		config.device = devices[i];
		text_init(&why, why_buf, sizeof(why_buf));
		if (port_open(&config, &port, &why) < 0)
			fail_msg("%s", text_str(&why));
		assert_int_equal(port_get_info(port)->shared, i == 1);
		first = drain(port_pool(port, 0));
		assert_true(first >= 3000); /* the rest the device holds, to receive into */
		assert_int_equal(drain(port_pool(port, 0)), first);
		port_close(port);
	}
	shell("ip link del pga");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_to_do_about_a_device_it_cannot_have),
		cmocka_unit_test(exchanges_frames_over_memif),
		cmocka_unit_test(exchanges_frames_over_af_packet_and_opens_it_again),
		cmocka_unit_test(a_tap_is_another_station_than_the_kernels_end),
		cmocka_unit_test(the_pool_gives_out_what_it_was_made_for_and_takes_it_back),
	};
	pid_t reflector;
	int failed;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 ||
		access("/dev/net/tun", R_OK | W_OK) < 0) {
		puts("skipped: needs root and /dev/net/tun");
		return SKIPPED;
	}
	snprintf(memif_path, sizeof(memif_path), "/tmp/postern_port_test%d.sock", getpid());
	reflector = fork();
	if (reflector == 0)
		reflect();
	text_init(&why, why_buf, sizeof(why_buf));
	if (port_env_init(1, 64, &why) < 0 || port_env_register_thread(0) < 0) {
		printf("%s\n", text_str(&why));
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	port_env_unregister_thread();
	port_env_fini();
	kill(reflector, SIGKILL);
	waitpid(reflector, NULL, 0);
	return failed;
}
