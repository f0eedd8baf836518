#include "auth/dns/dns_asks.h"
#include "auth/dns/dns_zone.h"
#include "auth/spf/spf.h"
#include "base/arena.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* One evaluation against a zone, its questions answered in order or the last first. */
struct run {
	struct slab slab;
	struct arena arena;
	struct dns_asks asks;
	struct dns_zone *zone;
	struct dns_parsers parsers;
	struct spf_eval *eval;
};

static void answer_one(struct run *run, unsigned index)
{
	const struct dns_answer *answer =
		dns_zone_answer(run->zone, &run->parsers, &run->asks.ask[index]->question);

	assert_non_null(answer);
	dns_asks_answer(&run->asks, index, answer, 0);
	dns_answer_release(answer);
}

static void answer_all(struct run *run, bool last_first)
{
	while (run->asks.open > 0) {
		int taken[DNS_ASKS_MAX], n = 0;
		while ((taken[n] = dns_asks_take(&run->asks, 0)) >= 0)
			n++;
		assert_true(n > 0);
		for (int i = 0; i < n; i++)
			answer_one(run, (unsigned)taken[last_first ? n - 1 - i : i]);
	}
}

static void start(struct run *run, const char *zone, const struct spf_input *input,
	const struct spf_limits *limits)
{
	char room[256];
	struct text why;

	text_init(&why, room, sizeof(room));
	assert_int_equal(slab_init(&run->slab, ARENA_BLOCK_SIZE, 64), 0);
	arena_init(&run->arena, &run->slab, 64);
	dns_asks_init(&run->asks, &run->arena);
	if (dns_zone_parse(bytes_str(zone), "zone", &run->zone, &why))
		fail_msg("%s", text_str(&why));
	run->parsers = (struct dns_parsers){.of[DNS_USE_SPF] = &spf_record_parser};
	run->eval = spf_eval_new(&run->arena, &run->asks, limits, input);
	assert_non_null(run->eval);
}

static void stop(struct run *run)
{
	dns_asks_fini(&run->asks);
	dns_zone_free(run->zone);
	arena_fini(&run->arena);
	slab_fini(&run->slab);
}

static struct spf_input input_of(const char *client)
{
	struct spf_input input = {
		.helo = BYTES("mail.example.com"),
		.local_part = BYTES("user"),
		.domain = BYTES("example.com"),
		.receiver = BYTES("gate.example.net"),
		.now_unix_s = 1700000000,
	};

	assert_int_equal(ip_addr_parse(bytes_str(client), &input.client), 0);
	return input;
}

static unsigned check_input(const struct spf_input *input, const char *zone,
	enum auth_result expected, const char *explanation)
{
	unsigned asked = 0;

	for (int last_first = 0; last_first < 2; last_first++) {
		struct run run;
		start(&run, zone, input, &spf_limits_default);
		answer_all(&run, last_first);
		assert_true(spf_eval_done(run.eval));
		enum auth_result result = spf_eval_result(run.eval);
		if (result != expected) {
			struct bytes reason = spf_eval_reason(run.eval);
			fail_msg("%s (%.*s) instead of %s", auth_result_word(result),
				BYTES_FMT(reason), auth_result_word(expected));
		}
		struct bytes told = spf_eval_explanation(run.eval);
		if (!bytes_eq(told, bytes_str(explanation)))
			fail_msg("explanation '%.*s'", BYTES_FMT(told));
		asked = run.asks.n;
		stop(&run);
	}
	return asked;
}

static unsigned check(const char *client, const char *zone, enum auth_result expected)
{
	struct spf_input input = input_of(client);

	return check_input(&input, zone, expected, NULL);
}

/* Master-file lines. */
#define TXT(name, text) name ". 60 IN TXT \"" text "\"\n"
#define A(name, addr)   name ". 60 IN A " addr "\n"
#define MX(name, host)  name ". 60 IN MX 10 " host ".\n"
#define SPF(text)       TXT("example.com", text)

static void looks_up_only_what_it_must(void **state)
{
	(void)state;
	assert_int_equal(
		check("192.0.2.1", SPF("v=spf1 ip4:192.0.2.0/24 a mx -all"), AUTH_PASS), 1);
	assert_int_equal(check("192.0.2.1", SPF("v=spf1 -all"), AUTH_FAIL), 1);
	assert_int_equal(
		check("192.0.2.1", SPF("v=spf1 a ~all") A("example.com", "192.0.2.1"), AUTH_PASS),
		2);
	/* an include whose record redirects: three records and no more */
	assert_int_equal(check("192.0.2.1",
				 SPF("v=spf1 include:a.org -all") TXT("a.org",
					 "v=spf1 redirect=b.org") TXT("b.org", "v=spf1 ?all"),
				 AUTH_FAIL),
		3);
}

static void has_no_result_without_a_domain(void **state)
{
	static const char *const bad[] = {
		"", "com", "a..com", "[192.0.2.1]", "a b.com", "x@y.org", "a.\x01.com", "."};
	struct spf_input input = input_of("192.0.2.1");
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		input.domain = bytes_str(bad[i]);
		assert_int_equal(check_input(&input, SPF("v=spf1 -all"), AUTH_NONE, NULL), 0);
	}
	input.domain = BYTES("EXAMPLE.com.");
	check_input(&input, SPF("v=spf1 -all"), AUTH_FAIL, NULL);
	check("192.0.2.1", TXT("other.com", "v=spf1 -all"), AUTH_NONE);
	check("192.0.2.1", A("example.com", "192.0.2.1"), AUTH_NONE);
}

static void counts_includes_and_what_is_in_them_toward_ten(void **state)
{
	/* 1 include + 8 a + 1 a = 10; one more is too much, though the included record ended long
	 * ago. */
	static const char inc[] = TXT("inc.org", "v=spf1 a a a a a a a a")
		A("inc.org", "192.0.2.99") A("example.com", "192.0.2.98");
	char zone[512];
	(void)state;

	snprintf(zone, sizeof(zone), "%s%s", SPF("v=spf1 include:inc.org a ip4:192.0.2.1 -all"),
		inc);
	check("192.0.2.1", zone, AUTH_PASS);
	snprintf(zone, sizeof(zone), "%s%s", SPF("v=spf1 include:inc.org a a ip4:192.0.2.1 -all"),
		inc);
	check("192.0.2.1", zone, AUTH_PERMERROR);
	snprintf(zone, sizeof(zone), "%s%s", SPF("v=spf1 include:inc.org include:inc.org -all"),
		inc);
	check("192.0.2.1", zone, AUTH_PERMERROR);
}

static void ends_loops_at_the_limit(void **state)
{
	(void)state;
	assert_int_equal(
		check("192.0.2.1", SPF("v=spf1 include:example.com -all"), AUTH_PERMERROR), 11);
	assert_int_equal(
		check("192.0.2.1", SPF("v=spf1 redirect=example.com"), AUTH_PERMERROR), 11);
}

static void allows_two_void_look_ups(void **state)
{
	(void)state;
	check("192.0.2.1", SPF("v=spf1 a:x.org exists:y.org ?all"), AUTH_NEUTRAL);
	check("192.0.2.1", SPF("v=spf1 a:x.org exists:y.org mx:z.org ?all"), AUTH_PERMERROR);
	check("2001:db8::1", SPF("v=spf1 ptr ptr ptr ?all"), AUTH_PERMERROR);
	/* one void MX term is one, however many hosts it names */
	check("2001:db8::1",
		SPF("v=spf1 mx ?all") MX("example.com", "a.org") MX("example.com", "b.org")
			MX("example.com", "c.org") A("a.org", "192.0.2.9"),
		AUTH_NEUTRAL);
}

static void bounds_mx_and_ptr_names(void **state)
{
	char zone[2048];
	size_t len = (size_t)snprintf(zone, sizeof(zone), "%s", SPF("v=spf1 mx -all"));
	(void)state;

	for (int i = 0; i < 10; i++)
		len += (size_t)snprintf(zone + len, sizeof(zone) - len,
			"example.com. 60 IN MX %d h%d.org.\nh%d.org. 60 IN A 192.0.2.%d\n", i, i, i,
			i);
	check("192.0.2.9", zone, AUTH_PASS);
	check("192.0.2.77", zone, AUTH_FAIL);
	snprintf(zone + len, sizeof(zone) - len, MX("example.com", "h11.org"));
	check("192.0.2.9", zone, AUTH_PERMERROR);

	len = (size_t)snprintf(zone, sizeof(zone), "%s%s", SPF("v=spf1 ptr ~all"),
		A("a.example.com", "192.0.2.1"));
	for (int i = 0; i < 20; i++)
		len += (size_t)snprintf(zone + len, sizeof(zone) - len,
			"1.2.0.192.in-addr.arpa. 60 IN PTR h%d.org.\n", i);
	assert_true(check("192.0.2.1", zone, AUTH_SOFTFAIL) <= 12);
}

static void a_name_that_is_none_matches_nothing(void **state)
{
	(void)state;
	check("192.0.2.1", SPF("v=spf1 a:a..example.com -all"), AUTH_FAIL);
	check("192.0.2.1",
		SPF("v=spf1 exists:%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{l}%{"
		    "l}%{l}%{l}.org ~all"),
		AUTH_SOFTFAIL);
	check("192.0.2.1", SPF("v=spf1 include:a..b ~all"), AUTH_PERMERROR);
	check("192.0.2.1", SPF("v=spf1 redirect=a..b"), AUTH_PERMERROR);
}

static void failures_of_the_dns_are_temporary(void **state)
{
	(void)state;
	check("192.0.2.1", "example.com. 60 IN TIMEOUT TXT\n", AUTH_TEMPERROR);
	check("192.0.2.1", SPF("v=spf1 a -all") "example.com. 60 IN SERVFAIL A\n", AUTH_TEMPERROR);
	check("192.0.2.1", SPF("v=spf1 include:x.org -all") "x.org. 60 IN TIMEOUT TXT\n",
		AUTH_TEMPERROR);
	check("192.0.2.1",
		SPF("v=spf1 mx -all") MX("example.com", "a.org") "a.org. 60 IN SERVFAIL A\n",
		AUTH_TEMPERROR);
	/* another MX host matches: what failed does not matter */
	check("192.0.2.1",
		SPF("v=spf1 mx -all") MX("example.com", "a.org") MX("example.com", "b.org")
			A("b.org", "192.0.2.1") "a.org. 60 IN SERVFAIL A\n",
		AUTH_PASS);
	/* an error of a PTR look-up only means that no name is known */
	check("192.0.2.1", SPF("v=spf1 ptr ~all") "1.2.0.192.in-addr.arpa. 60 IN TIMEOUT PTR\n",
		AUTH_SOFTFAIL);
}

static void inside_an_include_d_is_the_included_domain(void **state)
{
	(void)state;
	check("192.0.2.1",
		SPF("v=spf1 include:inc.org -all") TXT("inc.org", "v=spf1 exists:%{d}.%{o}.x.org")
			A("inc.org.example.com.x.org", "127.0.0.2"),
		AUTH_PASS);
}

static void prefers_the_domain_then_its_subdomains_for_p(void **state)
{
	static const char names[] =
		"1.2.0.192.in-addr.arpa. 60 IN PTR z.org.\n"
		"1.2.0.192.in-addr.arpa. 60 IN PTR m.example.com.\n"
		"1.2.0.192.in-addr.arpa. 60 IN PTR forged.example.com.\n" A("z.org", "192.0.2.1")
			A("m.example.com", "192.0.2.1") A("forged.example.com", "192.0.2.2")
				A("m.example.com.x.org", "127.0.0.2");
	char zone[1024];
	(void)state;

	snprintf(zone, sizeof(zone), "%s%s", SPF("v=spf1 exists:%{p}.x.org -all"), names);
	check("192.0.2.1", zone, AUTH_PASS);
	snprintf(zone, sizeof(zone), "%s%s",
		SPF("v=spf1 ptr:forged.example.com ptr:other.org -all"), names);
	check("192.0.2.1", zone, AUTH_FAIL);
}

static void explains_a_fail_and_drops_what_cannot_be_printed(void **state)
{
	struct spf_input input = input_of("192.0.2.1");
	static const char zone[] = SPF("v=spf1 -all exp=e.org")
		TXT("e.org", "%{l} at %{c} is %{p}: see http://x.org/?s=%{S}");
	(void)state;

	check_input(&input, zone, AUTH_FAIL,
		"user at 192.0.2.1 is unknown: see http://x.org/?s=user%40example.com");
	input.local_part = BYTES("a\r\nb");
	check_input(&input, zone, AUTH_FAIL, NULL);
	input.local_part = BYTES("");
	check_input(&input, zone, AUTH_FAIL,
		"postmaster at 192.0.2.1 is unknown: see http://x.org/?s=postmaster%40example.com");
	check_input(
		&input, SPF("v=spf1 -all exp=e.org") "e.org. 60 IN TIMEOUT TXT\n", AUTH_FAIL, NULL);
	check_input(&input, SPF("v=spf1 -all exp=a..b"), AUTH_FAIL, NULL);
}

static void drops_answers_of_a_step_that_is_over(void **state)
{
	struct spf_input input = input_of("192.0.2.1");
	struct run run;
	(void)state;

	start(&run,
		SPF("v=spf1 mx a -all") MX("example.com", "a.org") MX("example.com", "b.org")
			A("a.org", "192.0.2.1") A("b.org", "192.0.2.9"),
		&input, &spf_limits_default);
	answer_one(&run, 0);
	answer_one(&run, 1);
	assert_int_equal(run.asks.n, 4);
	answer_one(&run, 2);
	assert_true(spf_eval_done(run.eval));
	answer_one(&run, 3);
	assert_int_equal(spf_eval_result(run.eval), AUTH_PASS);
	assert_true(bytes_eq(spf_eval_reason(run.eval), BYTES("mx")));
	stop(&run);
}

static void says_what_is_wrong_with_a_record(void **state)
{
	struct spf_input input = input_of("192.0.2.1");
	struct run run;
	(void)state;

	start(&run, SPF("v=spf1 a:foo-bar -all"), &input, &spf_limits_default);
	answer_all(&run, false);
	assert_int_equal(spf_eval_result(run.eval), AUTH_PERMERROR);
	assert_true(bytes_eq(spf_eval_reason(run.eval), BYTES("bad domain-spec: a:foo-bar")));
	stop(&run);
}

static void knows_the_bare_reject(void **state)
{
	struct spf_input input = input_of("192.0.2.1");
	(void)state;

	for (int i = 0; i < 2; i++) {
		struct run run;
		start(&run,
			i ? SPF("v=spf1 redirect=n.org") TXT("n.org", "v=spf1 -all")
			  : SPF("v=spf1 -all"),
			&input, &spf_limits_default);
		answer_all(&run, false);
		assert_int_equal(spf_eval_result(run.eval), AUTH_FAIL);
		assert_int_equal(spf_eval_is_bare_reject(run.eval), i == 0);
		stop(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_up_only_what_it_must),
		cmocka_unit_test(has_no_result_without_a_domain),
		cmocka_unit_test(counts_includes_and_what_is_in_them_toward_ten),
		cmocka_unit_test(ends_loops_at_the_limit),
		cmocka_unit_test(allows_two_void_look_ups),
		cmocka_unit_test(bounds_mx_and_ptr_names),
		cmocka_unit_test(a_name_that_is_none_matches_nothing),
		cmocka_unit_test(failures_of_the_dns_are_temporary),
		cmocka_unit_test(inside_an_include_d_is_the_included_domain),
		cmocka_unit_test(prefers_the_domain_then_its_subdomains_for_p),
		cmocka_unit_test(explains_a_fail_and_drops_what_cannot_be_printed),
		cmocka_unit_test(drops_answers_of_a_step_that_is_over),
		cmocka_unit_test(says_what_is_wrong_with_a_record),
		cmocka_unit_test(knows_the_bare_reject),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
