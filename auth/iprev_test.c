#include "auth/iprev.h"

#include "auth/dns/dns_asks.h"
#include "auth/dns/dns_zone.h"
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define BLOCKS 64

static struct slab slab;

static int set_up(void **state)
{
	(void)state;
	return slab_init(&slab, ARENA_BLOCK_SIZE, BLOCKS);
}

static int tear_down(void **state)
{
	(void)state;
	slab_fini(&slab);
	return 0;
}

/* Evaluates `client` with the DNS that `records` say; the name, if any, goes to `name`. */
static enum auth_result check(
	const char *records, const char *client, char *name, unsigned *questions)
{
	struct arena arena;
	struct dns_asks asks;
	struct dns_zone *zone;
	struct iprev iprev;
	struct ip_addr addr;
	struct text why, text;
	char reason[200];
	int index;

	text_init(&why, reason, sizeof(reason));
	if (dns_zone_parse(bytes_str(records), "zone", &zone, &why) != 0)
		fail_msg("%s", text_str(&why));
	assert_int_equal(ip_addr_parse(bytes_str(client), &addr), 0);
	arena_init(&arena, &slab, BLOCKS);
	dns_asks_init(&asks, &arena);
	iprev_begin(&iprev, &asks, &addr);
	while ((index = dns_asks_take(&asks, 0)) >= 0) {
		const struct dns_answer *answer =
			dns_zone_answer(zone, NULL, &asks.ask[index]->question);

		dns_asks_answer(&asks, (unsigned)index, answer, 0);
		dns_answer_release(answer);
	}
	assert_true(iprev.done);
	*questions = asks.n;
	text_init(&text, name, 256);
	text_put(&text, iprev.name);
	text_str(&text);
	dns_asks_fini(&asks);
	dns_zone_free(zone);
	arena_fini(&arena);
	return iprev.result;
}

static void expect(
	const char *records, const char *client, enum auth_result result, const char *name)
{
	char found[256];
	unsigned questions;

	assert_string_equal(auth_result_word(check(records, client, found, &questions)),
		auth_result_word(result));
	assert_string_equal(found, name);
}

#define PTR "1.2.0.192.in-addr.arpa. 60 IN PTR "

static void a_name_that_leads_back_passes(void **state)
{
	(void)state;
	expect(PTR "mail.example.org.\nmail.example.org. 60 IN A 192.0.2.1\n", "192.0.2.1",
		AUTH_PASS, "mail.example.org");
	expect(PTR "x.org.\n" PTR "mail.example.org.\n"
		   "mail.example.org. 60 IN A 192.0.2.9\n"
		   "mail.example.org. 60 IN A 192.0.2.1\n",
		"192.0.2.1", AUTH_PASS, "mail.example.org");
	expect("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN "
	       "PTR a.org.\n"
	       "a.org. 60 IN AAAA 2001:db8::1\n",
		"2001:db8::1", AUTH_PASS, "a.org");
}

static void a_name_that_leads_elsewhere_or_nowhere_fails(void **state)
{
	(void)state;
	expect(PTR "victim.org.\nvictim.org. 60 IN A 192.0.2.9\n", "192.0.2.1", AUTH_FAIL, "");
	expect(PTR "victim.org.\n", "192.0.2.1", AUTH_FAIL, "");
	/* An IPv6 address of the name says nothing of an IPv4 client. */
	expect(PTR "a.org.\na.org. 60 IN AAAA 2001:db8::1\n", "192.0.2.1", AUTH_FAIL, "");
}

static void no_reverse_record_is_permerror(void **state)
{
	(void)state;
	expect("", "192.0.2.1", AUTH_PERMERROR, "");
	expect("1.2.0.192.in-addr.arpa. 60 IN TXT x\n", "192.0.2.1", AUTH_PERMERROR, "");
}

static void a_failing_dns_is_temperror_unless_a_name_leads_back(void **state)
{
	(void)state;
	expect("1.2.0.192.in-addr.arpa. 60 IN TIMEOUT PTR\n", "192.0.2.1", AUTH_TEMPERROR, "");
	expect(PTR "a.org.\na.org. 60 IN SERVFAIL A\n", "192.0.2.1", AUTH_TEMPERROR, "");
	expect(PTR "a.org.\n" PTR "b.org.\na.org. 60 IN SERVFAIL A\nb.org. 60 IN A 192.0.2.1\n",
		"192.0.2.1", AUTH_PASS, "b.org");
}

static void the_number_of_names_is_bounded(void **state)
{
	char records[4096], name[256];
	struct text text;
	unsigned questions;

	(void)state;
	text_init(&text, records, sizeof(records));
	for (unsigned i = 0; i < 30; i++)
		text_printf(&text, PTR "n%u.org.\n", i);
	assert_int_equal(check(text_str(&text), "192.0.2.1", name, &questions), AUTH_FAIL);
	assert_int_equal(questions, 1 + IPREV_MAX_NAMES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_leads_back_passes),
		cmocka_unit_test(a_name_that_leads_elsewhere_or_nowhere_fails),
		cmocka_unit_test(no_reverse_record_is_permerror),
		cmocka_unit_test(a_failing_dns_is_temperror_unless_a_name_leads_back),
		cmocka_unit_test(the_number_of_names_is_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
