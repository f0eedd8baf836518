#include "base/testing.h"
#include "bench/load/load_options.h"

#include <errno.h>

static struct load_options options;
static char why_buf[512];
static struct text why;

static int parse(const char *line)
{
	static char copy[512], *argv[32];
	int argc = 0;

	snprintf(copy, sizeof(copy), "postern-load %s", line);
	for (char *word = strtok(copy, " "); word && argc < 31; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	text_init(&why, why_buf, sizeof(why_buf));
	return load_options_parse(argc, argv, &options, &why);
}

static void an_address_alone_is_enough(void **state)
{
	(void)state;
	assert_int_equal(parse("192.0.2.1"), 0);
	assert_int_equal(options.port, 25);
	assert_int_equal(options.connections, 10);
	assert_int_equal(options.size, 20480);
	assert_true(options.pipelining);
	assert_null(options.device);
}

static void servers_of_both_families_with_and_without_port(void **state)
{
	static const struct {
		const char *text, *addr;
		uint32_t port;
	} good[] = {
		{"192.0.2.1:2525", "192.0.2.1", 2525},
		{"2001:db8::1", "2001:db8::1", 25},
		{"[2001:db8::1]:2525", "2001:db8::1", 2525},
		{"[2001:db8::1]", "2001:db8::1", 25},
	};
	static const char *const bad[] = {"mx.example", "192.0.2.1:", "192.0.2.1:0",
		"192.0.2.1:65536", "[]:25", "[::1]:", ":25"};

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct ip_addr addr;

		assert_int_equal(parse(good[i].text), 0);
		assert_int_equal(ip_addr_parse(bytes_str(good[i].addr), &addr), 0);
		assert_true(ip_addr_eq(&addr, &options.server));
		assert_int_equal(options.port, good[i].port);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i]), -EINVAL);
}

static void every_option_reaches_its_field(void **state)
{
	(void)state;
	assert_int_equal(
		parse("--connections 50 --mails 0 --time 20 --warmup=5 --no-pipelining --idle 7 "
		      "--noop-rate 3 --device memif:client,/x --address 10.0.0.1/24 "
		      "--address fd00::1/64 --gateway 10.0.0.9 --syn-flood 1000 --json - --quiet "
		      "10.0.0.2"),
		0);
	assert_int_equal(options.connections, 50);
	assert_int_equal(options.mails, 0);
	assert_int_equal(options.time_s, 20);
	assert_int_equal(options.warmup_s, 5);
	assert_false(options.pipelining);
	assert_int_equal(options.n_addresses, 2);
	assert_int_equal(options.addresses[0].prefix_len, 120);
	assert_int_equal(options.addresses[0].addr.octets[15], 1);
	assert_int_equal(options.gateway4.octets[15], 9);
	assert_int_equal(options.flood_rate, 1000);
	assert_string_equal(options.json, "-");
	assert_true(options.quiet);
}

static void what_makes_no_sense_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{"", "exactly one"},
		{"10.0.0.1 10.0.0.2", "exactly one"},
		{"--connections 0 10.0.0.1", "nothing to do"},
		{"--connections -1 10.0.0.1", "not a number from 0"},
		{"--connections 2000001 10.0.0.1", "not a number from 0"},
		{"--timeout 0 10.0.0.1", "not a number from 1"},
		{"--mails 0 10.0.0.1", "endless"},
		{"--device tap 10.0.0.1", "--address"},
		{"--address 10.0.0.3/24 10.0.0.1", "--source"},
		{"--warmup 5 --time 5 10.0.0.1", "shorter"},
		{"--noop-rate 5 10.0.0.1", "--idle"},
		{"--syn-flood 5 10.0.0.1", "--time"},
		{"--idle 5 --connections 0 10.0.0.1", "--time"},
		{"--what 10.0.0.1", "no such option"},
		{"--json", "missing"},
		{"--flood-from 198.18.0.1/15 10.0.0.1", "a network"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = parse(cases[i].line);

		if (rc != -EINVAL || !strstr(text_str(&why), cases[i].reason))
			fail_msg("%s: %d %s", cases[i].line, rc, text_str(&why));
	}
}

static void help_names_every_option_and_fits(void **state)
{
	static char buf[LOAD_HELP_MAX];
	struct text help;

	(void)state;
	text_init(&help, buf, sizeof(buf));
	load_options_help(&help);
	assert_false(help.overflow);
	assert_non_null(strstr(text_str(&help), "--no-pipelining"));
	assert_int_equal(parse("--help"), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_alone_is_enough),
		cmocka_unit_test(servers_of_both_families_with_and_without_port),
		cmocka_unit_test(every_option_reaches_its_field),
		cmocka_unit_test(what_makes_no_sense_is_refused_with_a_reason),
		cmocka_unit_test(help_names_every_option_and_fits),
	};

	return cmocka_run_group_tests_name("load/load_options", tests, NULL, NULL);
}
