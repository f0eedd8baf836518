/* On messages of our own: not every kernel can make every kind of interface. */
#include "dataplane/port/port_xsk_link_priv.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct message {
	_Alignas(struct nlmsghdr) char octets[1024];
};

static struct nlmsghdr *header_of(struct message *m)
{
	return (struct nlmsghdr *)m->octets;
}

static void start(struct message *m, unsigned type, unsigned flags)
{
	struct ifinfomsg *info;

	memset(m, 0, sizeof(*m));
	*header_of(m) = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(sizeof(*info)), .nlmsg_type = RTM_NEWLINK};
	info = NLMSG_DATA(header_of(m));
	info->ifi_type = (unsigned short)type;
	info->ifi_flags = flags;
}

static struct rtattr *put(struct message *m, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(m->octets + NLMSG_ALIGN(header_of(m)->nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	header_of(m)->nlmsg_len =
		(unsigned)(NLMSG_ALIGN(header_of(m)->nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

static void put_kind(struct message *m, const char *kind, const char *member)
{
	struct rtattr *info = put(m, IFLA_LINKINFO, NULL, 0);

	if (kind)
		put(m, IFLA_INFO_KIND, kind, strlen(kind) + 1);
	if (member)
		put(m, IFLA_INFO_SLAVE_KIND, member, strlen(member) + 1);
	info->rta_len = (unsigned short)(m->octets + header_of(m)->nlmsg_len - (char *)info);
}

static void reads_what_the_kernel_says(void **state)
{
	static const uint8_t mac[] = {2, 0, 0, 0, 0, 7};
	uint32_t mtu = 1500, queues = 4;
	struct port_xsk_link link = {0};
	struct message m;

	(void)state;
	start(&m, ARPHRD_ETHER, IFF_UP);
	put(&m, IFLA_MTU, &mtu, sizeof(mtu));
	put(&m, IFLA_NUM_RX_QUEUES, &queues, sizeof(queues));
	put(&m, IFLA_ADDRESS, mac, sizeof(mac));
	put_kind(&m, "a-kind-of-much-too-long-a-name", NULL);
	port_xsk_link_read(header_of(&m), &link);
	assert_int_equal(link.type, ARPHRD_ETHER);
	assert_int_equal(link.flags, IFF_UP);
	assert_int_equal(link.mtu, 1500);
	assert_int_equal(link.rx_queues, 4);
	assert_memory_equal(link.mac, mac, sizeof(mac));
	assert_string_equal(link.kind, "a-kind-of-much-");
	assert_string_equal(link.member, "");
	assert_null(port_xsk_link_refusal(&link));
}

static void refuses_what_has_its_frames_from_another_interface(void **state)
{
	static const struct {
		const char *kind, *member, *reason; /* NULL: taken */
	} cases[] = {
		{NULL, NULL, NULL},
		{"veth", NULL, NULL},
		{"veth", "vrf", NULL},
		{"macvlan", NULL, NULL},
		{"vlan", NULL, "VLAN"},
		{"bond", NULL, "it is a bond"},
		{"team", NULL, "it is a team"},
		{NULL, "bond", "member of a bond"},
		{"veth", "team", "member of a team"},
		{"veth", "bridge", "port of a bridge"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_xsk_link link = {0};
		const char *refusal;
		struct message m;

		start(&m, ARPHRD_ETHER, IFF_UP);
		put_kind(&m, cases[i].kind, cases[i].member);
		port_xsk_link_read(header_of(&m), &link);
		refusal = port_xsk_link_refusal(&link);
		if (!cases[i].reason)
			assert_null(refusal);
		else
			assert_non_null(strstr(refusal, cases[i].reason));
	}
}

static void refuses_what_is_not_ethernet(void **state)
{
	struct port_xsk_link link = {0};

	(void)state;
	assert_int_equal(port_xsk_link_ask(if_nametoindex("lo"), &link), 0);
	assert_int_equal(link.type, ARPHRD_LOOPBACK);
	assert_non_null(strstr(port_xsk_link_refusal(&link), "Ethernet"));
	assert_true(port_xsk_link_ask(0x7fffffff, &link) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_kernel_says),
		cmocka_unit_test(refuses_what_has_its_frames_from_another_interface),
		cmocka_unit_test(refuses_what_is_not_ethernet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
