#include "dataplane/port/port_device.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int parse(const char *text, struct port_device *device)
{
	char buf[512];
	struct text why;
	int rc;

	text_init(&why, buf, sizeof(buf));
	rc = port_device_parse(bytes_str(text), device, &why);
	/* A refusal says why, on one line; success says nothing. */
	assert_int_equal(rc == 0, why.len == 0);
	assert_null(strchr(text_str(&why), '\n'));
	return rc;
}

static void takes_every_kind(void **state)
{
	static const struct {
		const char *text;
		enum port_kind kind;
		const char *name;
	} cases[] = {
		{"tap", PORT_TAP, PORT_TAP_NAME},
		{"tap:mx-0.1", PORT_TAP, "mx-0.1"},
		{"af_packet:eth0", PORT_AF_PACKET, "eth0"},
		{"af_xdp:enp3s0f1", PORT_AF_XDP, "enp3s0f1"},
		{"af_xdp-shared:eth0", PORT_AF_XDP_SHARED, "eth0"},
		{"pci:0000:3b:00.0", PORT_PCI, "0000:3b:00.0"},
		{"pci:3B:00.1", PORT_PCI, "0000:3b:00.1"},
		{"memif", PORT_MEMIF, ""},
	};
	struct port_device device;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].text, &device), 0);
		assert_int_equal(device.kind, cases[i].kind);
		assert_string_equal(device.name, cases[i].name);
	}
}

static void memif_has_role_and_path(void **state)
{
	struct port_device device;

	(void)state;
	assert_int_equal(parse("memif", &device), 0);
	assert_false(device.memif_client);
	assert_string_equal(device.path, PORT_MEMIF_PATH);
	assert_int_equal(parse("memif:client", &device), 0);
	assert_true(device.memif_client);
	assert_int_equal(parse("memif:server,/tmp/x.sock", &device), 0);
	assert_false(device.memif_client);
	assert_string_equal(device.path, "/tmp/x.sock");
}

static void refuses_what_cannot_be_a_device(void **state)
{
	static const char *const cases[] = {"", "tun", "tap:", "tap:a,mac=fixed", "tap:a/b",
		"tap:..", "tap:sixteenletters16", "af_packet",
		"af_packet:", "af_packet:eth0,qpairs=9", "pci:", "pci:3b:00", "pci:zz:00.0",
		"pci:0000:3b:00.0x", "pci:0000-3b:00.0", "memif:peer", "memif:server,",
		"memif:server,relative", "memif:server,/a,b", "af_xdp:\x01"};
	struct port_device device;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(parse(cases[i], &device), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_kind),
		cmocka_unit_test(memif_has_role_and_path),
		cmocka_unit_test(refuses_what_cannot_be_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
