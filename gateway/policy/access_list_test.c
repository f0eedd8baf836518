#include "gateway/policy/access_list.h"

#include "base/testing.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static struct access_list list;
static char folder[] = "/tmp/postern-access-test-XXXXXX", path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/access", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int tear_down(void **state)
{
	(void)state;
	access_list_fini(&list);
	return 0;
}

static int set(enum access_verb verb, const char *net, uint64_t until_us)
{
	struct access_rule rule = {.verb = (uint8_t)verb, .until_us = until_us};

	assert_int_equal(ip_cidr_parse(bytes_str(net), true, &rule.net), 0);
	return access_list_set(&list, &rule);
}

/* All rules, each with a semicolon behind it. */
static const char *all(void)
{
	static char text[4096];
	struct text out;

	text_init(&out, text, sizeof(text));
	for (unsigned i = 0; i < list.n; i++) {
		access_list_put(&list.rules[i], &out);
		text_putc(&out, ';');
	}
	return text_str(&out);
}

static int parse(const char *content, const char **why)
{
	static char reason[256];
	struct text text;
	int error;

	text_init(&text, reason, sizeof(reason));
	error = access_list_parse(&list, bytes_str(content), "FILE", &text);
	*why = text_str(&text);
	return error;
}

static void keeps_one_rule_a_network_and_one_over_it_for_a_time(void **state)
{
	(void)state;
	set(ACCESS_DENY, "192.0.2.0/24", ACCESS_FOREVER);
	set(ACCESS_ALLOW, "192.0.2.0/24", 5000000);
	set(ACCESS_ALLOW, "192.0.2.0/24", 7000000);
	assert_string_equal(all(), "deny 192.0.2.0/24;allow 192.0.2.0/24 until 7;");
	assert_int_equal(access_list_expire(&list, 6999999), 0);
	assert_int_equal(access_list_expire(&list, 7000000), 1);
	assert_string_equal(all(), "deny 192.0.2.0/24;");
	set(ACCESS_DENY, "192.0.2.0/24", 9000000);
	set(ACCESS_ALLOW, "192.0.2.0/24", ACCESS_FOREVER); /* ends what was said for a time */
	assert_string_equal(all(), "allow 192.0.2.0/24;");
}

static void removes_exactly_the_network_that_is_named(void **state)
{
	struct ip_cidr net;

	(void)state;
	set(ACCESS_DENY, "192.0.2.0/24", ACCESS_FOREVER);
	set(ACCESS_DENY, "192.0.2.0/24", 5000000);
	set(ACCESS_DENY, "192.0.2.0/25", ACCESS_FOREVER);
	assert_int_equal(ip_cidr_parse(BYTES("192.0.2.0/24"), true, &net), 0);
	assert_int_equal(access_list_remove(&list, &net), 2);
	assert_int_equal(access_list_remove(&list, &net), 0);
	assert_string_equal(all(), "deny 192.0.2.0/25;");
}

static void takes_no_more_rules_than_the_limit(void **state)
{
	struct access_rule rule = {.until_us = ACCESS_FOREVER, .net.prefix_len = 128};

	(void)state;
	for (uint32_t i = 0; i < ACCESS_RULES_MAX; i++) {
		rule.net.addr = ip_addr_v4(0x0a000000u + i * 7919 % ACCESS_RULES_MAX);
		assert_int_equal(access_list_set(&list, &rule), 0);
	}
	assert_int_equal(list.n, ACCESS_RULES_MAX);
	assert_int_equal(set(ACCESS_DENY, "192.0.2.1", ACCESS_FOREVER), -ENOSPC);
	assert_int_equal(set(ACCESS_DENY, "10.0.0.1", ACCESS_FOREVER), 0);
}

static void says_file_line_and_what_is_wrong(void **state)
{
	static const struct {
		const char *content, *why;
	} cases[] = {
		{"deny\n", "FILE:1: no network"},
		{"#\n\nforbid 192.0.2.1\n", "FILE:3: neither deny nor allow"},
		{"deny 192.0.2.1/24", "FILE:1: no network"},
		{"deny 192.0.2.1 until", "FILE:1: after the network"},
		{"deny 192.0.2.1 until x", "FILE:1: after the network"},
		{"deny 192.0.2.1 until 1 2", "FILE:1: after the network"},
		{"deny 192.0.2.1 until 99999999999999999999", "FILE:1: after the network"},
		{"deny 192.0.2.1 for 5", "FILE:1: after the network"},
	};
	const char *why;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].content, &why), -EINVAL);
		if (strncmp(why, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %s", cases[i].content, why);
	}
	assert_int_equal(parse("deny  192.0.2.1 until 5 # x\r\n\tallow ::/0", &why), 0);
	assert_string_equal(all(), "allow ::/0;deny 192.0.2.1/32 until 5;");
}

static void what_was_saved_is_loaded(void **state)
{
	char reason[256] = "", kept[4096];
	struct stat st;
	struct text why;

	(void)state;
	text_init(&why, reason, sizeof(reason));
	unlink(path);
	assert_int_equal(access_list_load(&list, path, &why), 0); /* none yet */
	assert_int_equal(list.n, 0);
	set(ACCESS_DENY, "2001:db8::/32", ACCESS_FOREVER);
	set(ACCESS_ALLOW, "2001:db8::1", 12000000);
	set(ACCESS_DENY, "0.0.0.0/0", ACCESS_FOREVER);
	snprintf(kept, sizeof(kept), "%s", all());
	assert_int_equal(access_list_save(&list, path), 0);
	assert_int_equal(access_list_save(&list, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	access_list_fini(&list);
	assert_int_equal(access_list_load(&list, path, &why), 0);
	assert_string_equal(all(), kept);
	assert_int_equal(access_list_load(&list, folder, &why), -EISDIR);
	assert_int_equal(access_list_save(&list, "/nonexistent/access"), -ENOENT);
}

static void the_table_ends_rules_when_the_list_does(void **state)
{
	const uint64_t unix_us = UINT64_C(1700000000000000), mono_us = 50000000;
	struct ip_addr a = ip_addr_v4(0xc0000201);
	struct access_table *table;

	(void)state;
	assert_int_equal(access_list_table(&list, unix_us, mono_us, &table), 0);
	assert_null(table);
	set(ACCESS_DENY, "192.0.2.1", unix_us);
	assert_int_equal(access_list_table(&list, unix_us, mono_us, &table), 0);
	assert_null(table);
	set(ACCESS_DENY, "192.0.2.1", unix_us + 10);
	assert_int_equal(access_list_table(&list, unix_us, mono_us, &table), 0);
	assert_true(access_denies(table, &a, mono_us + 9));
	assert_false(access_denies(table, &a, mono_us + 10));
	access_table_free(table);
	set(ACCESS_DENY, "192.0.2.1", ACCESS_FOREVER);
	assert_int_equal(access_list_table(&list, unix_us, mono_us, &table), 0);
	assert_true(access_denies(table, &a, UINT64_MAX - 1));
	access_table_free(table);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(keeps_one_rule_a_network_and_one_over_it_for_a_time),
		TEST(removes_exactly_the_network_that_is_named),
		TEST(takes_no_more_rules_than_the_limit),
		TEST(says_file_line_and_what_is_wrong),
		TEST(what_was_saved_is_loaded),
		TEST(the_table_ends_rules_when_the_list_does),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
