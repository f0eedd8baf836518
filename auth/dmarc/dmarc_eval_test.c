#include "auth/dmarc/dmarc.h"
#include "auth/dmarc/dmarc_walk.h"
#include "auth/dns/dns_asks.h"
#include "auth/dns/dns_zone.h"
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define TXT(name, text) name ". 60 IN TXT \"" text "\"\n"
#define A(name)         name ". 60 IN A 192.0.2.1\n"

#define ABSENT     DMARC_POLICY_ABSENT
#define NONE       DMARC_POLICY_NONE
#define QUARANTINE DMARC_POLICY_QUARANTINE
#define REJECT     DMARC_POLICY_REJECT

struct expected {
	enum auth_result result;
	enum dmarc_policy policy;
	const char *org;
};

struct given {
	const char *author, *zone;
	const char *spf, *dkim; /* a domain that passed; NULL for none */
	const char *temporary;  /* a d= whose key could not be had */
};

static void answer_all(
	struct dns_asks *asks, const struct dns_zone *zone, const struct dns_parsers *parsers)
{
	for (int i; (i = dns_asks_take(asks, 0)) >= 0;) {
		const struct dns_answer *answer =
			dns_zone_answer(zone, parsers, &asks->ask[i]->question);
		assert_non_null(answer);
		dns_asks_answer(asks, (unsigned)i, answer, 0);
		dns_answer_release(answer);
	}
}

static void give_identifiers(struct dmarc_eval *eval, const struct given *given)
{
	struct dmarc_identifier ids[3];
	unsigned n = 0;

	if (given->spf)
		ids[n++] = (struct dmarc_identifier){bytes_str(given->spf), true, false};
	if (given->dkim)
		ids[n++] = (struct dmarc_identifier){bytes_str(given->dkim), false, false};
	if (given->temporary)
		ids[n++] = (struct dmarc_identifier){bytes_str(given->temporary), false, true};
	dmarc_eval_identifiers(eval, ids, n);
}

/* Answers come before the identifiers or after them: the verdict is the same. Returns the questions
 * asked. */
static unsigned check(const struct given *given, struct expected expected)
{
	const struct dns_parsers parsers = {.of[DNS_USE_DMARC] = &dmarc_record_parser};
	unsigned asked = 0;

	for (int late = 0; late < 2; late++) {
		struct slab slab;
		struct arena arena;
		struct dns_asks asks;
		struct dns_zone *zone;
		char room[256];
		struct text why;

		assert_int_equal(slab_init(&slab, ARENA_BLOCK_SIZE, 32), 0);
		arena_init(&arena, &slab, 32);
		dns_asks_init(&asks, &arena);
		text_init(&why, room, sizeof(room));
		if (dns_zone_parse(bytes_str(given->zone), "zone", &zone, &why))
			fail_msg("%s", text_str(&why));
		struct dmarc_eval *eval = dmarc_eval_new(&arena, &asks, bytes_str(given->author));
		assert_non_null(eval);
		if (late)
			answer_all(&asks, zone, &parsers);
		give_identifiers(eval, given);
		answer_all(&asks, zone, &parsers);
		assert_true(dmarc_eval_done(eval));
		struct bytes org = dmarc_eval_org_domain(eval);
		if (dmarc_eval_result(eval) != expected.result ||
			dmarc_eval_policy(eval) != expected.policy ||
			(expected.org && !bytes_eq(org, bytes_str(expected.org))))
			fail_msg("%s: %s (%s) policy %u org %.*s", given->author,
				auth_result_word(dmarc_eval_result(eval)), dmarc_eval_reason(eval),
				dmarc_eval_policy(eval), BYTES_FMT(org));
		asked = asks.n;
		dns_asks_fini(&asks);
		dns_zone_free(zone);
		arena_fini(&arena);
		slab_fini(&slab);
	}
	return asked;
}

static void aligns_relaxed_through_the_organizational_domain(void **state)
{
	static const char zone[] = TXT("_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine");
	(void)state;

	check(&(struct given){"example.com", zone, .dkim = "example.com"},
		(struct expected){AUTH_PASS, REJECT, "example.com"});
	check(&(struct given){"a.example.com", zone, .dkim = "example.com"},
		(struct expected){AUTH_PASS, QUARANTINE, "example.com"});
	check(&(struct given){"a.example.com", zone, .spf = "b.c.example.com"},
		(struct expected){AUTH_PASS, QUARANTINE, "example.com"});
	check(&(struct given){"example.com", zone, "notexample.com", "com"},
		(struct expected){AUTH_FAIL, REJECT, "example.com"});
	check(&(struct given){"example.com", zone},
		(struct expected){AUTH_FAIL, REJECT, "example.com"});
}

static void keeps_to_each_method_s_own_mode(void **state)
{
	static const char zone[] = TXT("_dmarc.example.com", "v=DMARC1; p=reject; adkim=s");
	(void)state;

	check(&(struct given){"example.com", zone, .dkim = "a.example.com"},
		(struct expected){AUTH_FAIL, REJECT, NULL});
	check(&(struct given){"example.com", zone, .spf = "a.example.com"},
		(struct expected){AUTH_PASS, REJECT, NULL});
	check(&(struct given){"example.com", zone, .dkim = "example.com"},
		(struct expected){AUTH_PASS, REJECT, NULL});
}

static void an_identifier_below_its_own_organization_does_not_align(void **state)
{
	static const char zone[] = TXT("_dmarc.example.com", "v=DMARC1; p=reject")
		TXT("_dmarc.tenant.example.com", "v=DMARC1; p=none; psd=n")
			TXT("_dmarc.hosted.example.com", "v=DMARC1; p=none; psd=y");
	(void)state;

	check(&(struct given){"example.com", zone, .dkim = "tenant.example.com"},
		(struct expected){AUTH_FAIL, REJECT, NULL});
	check(&(struct given){"example.com", zone, .dkim = "a.tenant.example.com"},
		(struct expected){AUTH_FAIL, REJECT, NULL});
	check(&(struct given){"example.com", zone, .dkim = "customer.hosted.example.com"},
		(struct expected){AUTH_FAIL, REJECT, NULL});
	check(&(struct given){"a.tenant.example.com", zone, .dkim = "tenant.example.com"},
		(struct expected){AUTH_PASS, NONE, "tenant.example.com"});
	check(&(struct given){"a.customer.hosted.example.com", zone,
		      .dkim = "customer.hosted.example.com"},
		(struct expected){AUTH_PASS, NONE, "customer.hosted.example.com"});
	/* the public suffix signs for itself only: below it are others */
	check(&(struct given){"hosted.example.com", zone, .dkim = "customer.hosted.example.com"},
		(struct expected){AUTH_FAIL, NONE, "hosted.example.com"});
}

static void asks_at_most_eight_names_for_an_author_domain(void **state)
{
	static const char zone[] = TXT("_dmarc.example.com", "v=DMARC1; p=reject");
	(void)state;

	assert_int_equal(check(&(struct given){"a.b.c.d.e.f.g.h.i.j.k.example.com", zone},
				 (struct expected){AUTH_FAIL, REJECT, "example.com"}),
		8);
	/* what the author's walk knows is not asked again */
	assert_int_equal(check(&(struct given){"a.example.com", zone, .dkim = "example.com"},
				 (struct expected){AUTH_PASS, REJECT, "example.com"}),
		3);
}

static void walks_on_over_several_records_at_one_name(void **state)
{
	static const char several[] = TXT("_dmarc.a.example.com", "v=DMARC1; p=reject")
		TXT("_dmarc.a.example.com", "v=DMARC1; p=none");
	(void)state;

	check(&(struct given){"a.example.com", several},
		(struct expected){AUTH_NONE, ABSENT, NULL});
	char zone[512];
	struct text text;
	text_init(&text, zone, sizeof(zone));
	text_put(&text, bytes_str(several));
	text_put(&text, BYTES(TXT("_dmarc.example.com", "v=DMARC1; p=quarantine")));
	check(&(struct given){"a.example.com", text_str(&text)},
		(struct expected){AUTH_FAIL, QUARANTINE, "example.com"});
}

static void np_is_for_names_that_do_not_exist(void **state)
{
	static const char zone[] =
		TXT("_dmarc.example.com", "v=DMARC1; p=reject; sp=none; np=quarantine")
			A("here.example.com")
				A("x.parent.example.com") "late.example.com. 60 IN TIMEOUT A\n";
	(void)state;

	check(&(struct given){"gone.example.com", zone},
		(struct expected){AUTH_FAIL, QUARANTINE, NULL});
	check(&(struct given){"here.example.com", zone}, (struct expected){AUTH_FAIL, NONE, NULL});
	/* nothing but names below it: it exists */
	check(&(struct given){"parent.example.com", zone},
		(struct expected){AUTH_FAIL, NONE, NULL});
	check(&(struct given){"late.example.com", zone},
		(struct expected){AUTH_TEMPERROR, ABSENT, NULL});
}

static void a_public_suffix_s_policy_is_the_last_resort(void **state)
{
	static const char zone[] = TXT("_dmarc.bank.example", "v=DMARC1; p=none; sp=reject; psd=y")
		TXT("_dmarc.own.bank.example", "v=DMARC1; p=quarantine") A("a.other.bank.example");
	(void)state;

	check(&(struct given){"a.other.bank.example", zone},
		(struct expected){AUTH_FAIL, REJECT, "other.bank.example"});
	check(&(struct given){"a.own.bank.example", zone},
		(struct expected){AUTH_FAIL, QUARANTINE, "own.bank.example"});
	check(&(struct given){"bank.example", zone},
		(struct expected){AUTH_FAIL, NONE, "bank.example"});
}

static void test_mode_steps_the_policy_down(void **state)
{
	(void)state;
	check(&(struct given){"a.org", TXT("_dmarc.a.org", "v=DMARC1; p=reject; t=y")},
		(struct expected){AUTH_FAIL, QUARANTINE, NULL});
	check(&(struct given){"a.org", TXT("_dmarc.a.org", "v=DMARC1; p=quarantine; t=y")},
		(struct expected){AUTH_FAIL, NONE, NULL});
	check(&(struct given){"a.org", TXT("_dmarc.a.org", "v=DMARC1; p=none; t=y")},
		(struct expected){AUTH_FAIL, NONE, NULL});
}

static void a_record_without_policy_needs_rua(void **state)
{
	(void)state;
	check(&(struct given){"a.org", TXT("_dmarc.a.org", "v=DMARC1; rua=mailto:x@a.org")},
		(struct expected){AUTH_FAIL, NONE, NULL});
	check(&(struct given){"a.org", TXT("_dmarc.a.org", "v=DMARC1; adkim=s")},
		(struct expected){AUTH_NONE, ABSENT, NULL});
}

static void a_failed_look_up_is_never_a_fail(void **state)
{
	static const char unknown[] = "_dmarc.example.com. 60 IN TIMEOUT TXT\n";
	static const char parent[] =
		TXT("_dmarc.example.com", "v=DMARC1; p=reject") "_dmarc.com. 60 IN SERVFAIL TXT\n";
	static const char below[] = TXT("_dmarc.example.com",
		"v=DMARC1; p=reject") "_dmarc.a.example.com. 60 IN SERVFAIL TXT\n";
	(void)state;

	check(&(struct given){"example.com", unknown, .dkim = "example.com"},
		(struct expected){AUTH_TEMPERROR, ABSENT, NULL});
	check(&(struct given){"example.com", parent, .dkim = "a.example.com"},
		(struct expected){AUTH_TEMPERROR, REJECT, NULL});
	/* where the parent cannot matter, it does not */
	check(&(struct given){"example.com", parent, .dkim = "example.com"},
		(struct expected){AUTH_PASS, REJECT, NULL});
	check(&(struct given){"example.com", parent, .dkim = "mailer.org"},
		(struct expected){AUTH_FAIL, REJECT, NULL});
	check(&(struct given){"example.com", parent}, (struct expected){AUTH_FAIL, REJECT, NULL});
	check(&(struct given){"example.com", below, .dkim = "a.example.com"},
		(struct expected){AUTH_TEMPERROR, REJECT, NULL});
	check(&(struct given){"example.com", below, .temporary = "example.com"},
		(struct expected){AUTH_TEMPERROR, REJECT, NULL});
	check(&(struct given){"example.com", below, .temporary = "b.example.com"},
		(struct expected){AUTH_TEMPERROR, REJECT, NULL});
	check(&(struct given){"example.com", below, .temporary = "other.com"},
		(struct expected){AUTH_FAIL, REJECT, NULL});
	check(&(struct given){"example.com", below, .dkim = "example.com",
		      .temporary = "b.example.com"},
		(struct expected){AUTH_PASS, REJECT, NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns_relaxed_through_the_organizational_domain),
		cmocka_unit_test(keeps_to_each_method_s_own_mode),
		cmocka_unit_test(an_identifier_below_its_own_organization_does_not_align),
		cmocka_unit_test(asks_at_most_eight_names_for_an_author_domain),
		cmocka_unit_test(walks_on_over_several_records_at_one_name),
		cmocka_unit_test(np_is_for_names_that_do_not_exist),
		cmocka_unit_test(a_public_suffix_s_policy_is_the_last_resort),
		cmocka_unit_test(test_mode_steps_the_policy_down),
		cmocka_unit_test(a_record_without_policy_needs_rua),
		cmocka_unit_test(a_failed_look_up_is_never_a_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
