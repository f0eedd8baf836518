#include "dataplane/port/access.h"

#include "base/testing.h"

#include <errno.h>

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(bytes_str(text), &a), 0);
	return a;
}

static struct access_rule rule(enum access_verb verb, const char *net, uint64_t until_us)
{
	struct access_rule r = {.verb = (uint8_t)verb, .until_us = until_us};

	assert_int_equal(ip_cidr_parse(bytes_str(net), true, &r.net), 0);
	return r;
}

static struct access_table *table_of(const struct access_rule *rules, unsigned n)
{
	struct access_table *table;

	assert_int_equal(access_table_new(rules, n, &table), 0);
	return table;
}

static bool denies(const struct access_table *table, const char *text, uint64_t now_us)
{
	struct ip_addr a = addr(text);

	return access_denies(table, &a, now_us);
}

static void without_rules_everyone_is_let_in(void **state)
{
	struct access_table *empty = table_of(NULL, 0);

	(void)state;
	assert_false(denies(NULL, "192.0.2.1", 0));
	assert_false(denies(empty, "192.0.2.1", 0));
	assert_false(denies(empty, "::", 0));
	access_table_free(empty);
}

static void the_longest_network_decides(void **state)
{
	const struct access_rule rules[] = {
		rule(ACCESS_ALLOW, "192.0.2.128/25", ACCESS_FOREVER),
		rule(ACCESS_DENY, "192.0.2.0/24", ACCESS_FOREVER),
		rule(ACCESS_DENY, "192.0.2.200", ACCESS_FOREVER),
		rule(ACCESS_DENY, "2001:db8::/32", ACCESS_FOREVER),
		rule(ACCESS_ALLOW, "2001:db8:1::/48", ACCESS_FOREVER),
	};
	struct access_table *table = table_of(rules, 5);

	(void)state;
	assert_false(denies(table, "192.0.1.255", 0));
	assert_true(denies(table, "192.0.2.0", 0));
	assert_true(denies(table, "192.0.2.127", 0));
	assert_false(denies(table, "192.0.2.128", 0));
	assert_true(denies(table, "192.0.2.200", 0));
	assert_false(denies(table, "192.0.2.201", 0));
	assert_false(denies(table, "192.0.2.255", 0));
	assert_false(denies(table, "192.0.3.0", 0));
	assert_true(denies(table, "2001:db8::1", 0));
	assert_false(denies(table, "2001:db8:1::1", 0));
	assert_true(denies(table, "2001:db8:2::1", 0));
	assert_false(denies(table, "2001:db9::1", 0));
	access_table_free(table);
}

static void a_family_is_denied_by_its_own_networks_alone(void **state)
{
	const struct access_rule all6 = rule(ACCESS_DENY, "::/0", ACCESS_FOREVER);
	const struct access_rule all4 = rule(ACCESS_DENY, "0.0.0.0/0", ACCESS_FOREVER);
	struct access_table *six = table_of(&all6, 1), *four = table_of(&all4, 1);

	(void)state;
	assert_true(denies(six, "2001:db8::1", 0));
	assert_false(denies(six, "192.0.2.1", 0));
	assert_true(denies(four, "192.0.2.1", 0));
	assert_true(denies(four, "::ffff:192.0.2.1", 0));
	assert_false(denies(four, "2001:db8::1", 0));
	access_table_free(six);
	access_table_free(four);
}

static void a_rule_for_a_time_lies_over_the_one_that_stands(void **state)
{
	const struct access_rule rules[] = {
		rule(ACCESS_ALLOW, "192.0.2.0/24", 1000),
		rule(ACCESS_DENY, "192.0.2.0/24", ACCESS_FOREVER),
		rule(ACCESS_DENY, "198.51.100.1", 500),
	};
	struct access_table *table = table_of(rules, 3);

	(void)state;
	assert_false(denies(table, "192.0.2.1", 999));
	assert_true(denies(table, "192.0.2.1", 1000));
	assert_true(denies(table, "198.51.100.1", 499));
	assert_false(denies(table, "198.51.100.1", 500));
	access_table_free(table);
}

static void more_rules_than_the_limit_are_refused(void **state)
{
	struct access_rule *rules = calloc(ACCESS_RULES_MAX + 1, sizeof(*rules));
	struct access_table *table;

	(void)state;
	assert_non_null(rules);
	for (unsigned i = 0; i <= ACCESS_RULES_MAX; i++) {
		rules[i].net.addr = ip_addr_v4(0x0a000000 + i);
		rules[i].net.prefix_len = 128;
		rules[i].until_us = ACCESS_FOREVER;
	}
	assert_int_equal(access_table_new(rules, ACCESS_RULES_MAX + 1, &table), -ENOSPC);
	assert_int_equal(access_table_new(rules, ACCESS_RULES_MAX, &table), 0);
	assert_true(denies(table, "10.0.0.0", 0));
	assert_true(denies(table, "10.0.63.255", 0));
	assert_false(denies(table, "10.0.64.0", 0));
	access_table_free(table);
	free(rules);
}

/* The same answer as a look at every rule. */
static bool denies_plainly(
	const struct access_rule *rules, unsigned n, const struct ip_addr *a, uint64_t now_us)
{
	const struct access_rule *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (rules[i].until_us <= now_us || !ip_cidr_match(&rules[i].net, a))
			continue;
		if (!best || rules[i].net.prefix_len > best->net.prefix_len ||
			(rules[i].net.prefix_len == best->net.prefix_len &&
				rules[i].until_us != ACCESS_FOREVER))
			best = &rules[i];
	}
	return best && best->verb == ACCESS_DENY;
}

/* Addresses close together, so that networks nest. */
static struct ip_addr random_addr(uint64_t *seed)
{
	uint64_t r = test_random(seed);
	uint8_t six[16] = {0x20, 1, 0x0d, 0xb8, [14] = (uint8_t)(r & 3), [15] = (uint8_t)(r >> 8)};

	return r >> 60 < 8 ? ip_addr_v4(0xc0000200u | (uint32_t)(r & 0x3ff)) : ip_addr_v6(six);
}

static unsigned random_rules(uint64_t *seed, struct access_rule *rules, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct access_rule *r = &rules[kept];
		struct ip_addr a = random_addr(seed);
		uint64_t bits = test_random(seed);
		bool new = true;

		ip_cidr_init(&r->net, &a,
			ip_addr_is_v4(&a) ? (unsigned)(bits % 33) : (unsigned)(bits % 129));
		r->verb = bits >> 32 & 1;
		r->until_us = bits >> 33 & 1 ? ACCESS_FOREVER : bits >> 34 & 3;
		for (unsigned k = 0; k < kept; k++)
			new &= access_rule_cmp(&rules[k], r) != 0;
		kept += new;
	}
	return kept;
}

static void answers_as_a_look_at_every_rule_does(void **state)
{
	uint64_t seed = test_seed(7);

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct access_rule rules[40];
		unsigned n = random_rules(&seed, rules, round % 41);
		struct access_table *table = table_of(rules, n);

		for (unsigned i = 0; i < 200; i++) {
			struct ip_addr a = random_addr(&seed);
			uint64_t now_us = i % 4;

			assert_int_equal(access_denies(table, &a, now_us),
				denies_plainly(rules, n, &a, now_us));
		}
		access_table_free(table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rules_everyone_is_let_in),
		cmocka_unit_test(the_longest_network_decides),
		cmocka_unit_test(a_family_is_denied_by_its_own_networks_alone),
		cmocka_unit_test(a_rule_for_a_time_lies_over_the_one_that_stands),
		cmocka_unit_test(more_rules_than_the_limit_are_refused),
		cmocka_unit_test(answers_as_a_look_at_every_rule_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
