/* Chains that are none, bounds, and keys that cannot be had; signatures that verify are the suite's
 * business. */
#include "auth/arc/arc_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BH   "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" /* of nothing, relaxed */
#define FROM "From: a@example.com\r\n\r\n"

static struct arc_verifier *arc;
static char buffer[1 << 17];
static struct text mail;

static void put_set(unsigned instance, const char *cv)
{
	text_printf(&mail,
		"ARC-Seal: i=%u; a=rsa-sha256; cv=%s; d=example.com; s=s; b=AAAA\r\n"
		"ARC-Message-Signature: i=%u; a=rsa-sha256; c=relaxed/relaxed; d=example.com; "
		"s=s;\r\n"
		" h=from; bh=" BH "; b=AAAA\r\n"
		"ARC-Authentication-Results: i=%u; mx.example.com; none\r\n",
		instance, cv, instance, instance);
}

static void begin(void)
{
	text_init(&mail, buffer, sizeof(buffer));
}

/* Runs whole and dribbled, keys early and late; the same must come out. */
static void expect(
	const char *zone_text, enum auth_result result, const char *reason, unsigned length)
{
	struct dkim_harness h;
	struct dns_zone *zone;
	char why[256];
	struct text problem;

	text_init(&problem, why, sizeof(why));
	assert_int_equal(dns_zone_parse(bytes_str(zone_text), "zone", &zone, &problem), 0);
	dkim_harness_init(&h, zone);
	h.hooks = &arc_harness_hooks;
	h.ctx = &arc;
	assert_false(mail.overflow);
	for (int run = 0; run < 4; run++) {
		h.portion = run & 1 ? 3 : 0;
		h.keys_last = run & 2;
		dkim_harness_run(&h, text_bytes(&mail));
		assert_true(arc_verifier_done(arc));
		assert_int_equal(arc_verifier_result(arc), result);
		assert_int_equal(arc_verifier_chain_length(arc), length);
		const char *got = arc_verifier_reason(arc);
		if (!reason || !got)
			assert_ptr_equal(reason, got);
		else
			assert_string_equal(got, reason);
	}
	dkim_harness_fini(&h);
	dns_zone_free(zone);
}

static const char no_key[] = "example.com. 60 IN TXT \"x\"\n";
static const char silent[] = "s._domainkey.example.com. 60 IN TIMEOUT TXT\n";
static const char wrong_key[] =
	"s._domainkey.example.com. 60 IN TXT \"v=DKIM1; p="
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC"
	"jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9"
	"tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB\"\n";

static void no_arc_field_is_no_chain(void **state)
{
	(void)state;
	begin();
	text_put(&mail, BYTES(FROM));
	expect(no_key, AUTH_NONE, NULL, 0);
}

static void a_key_that_cannot_be_had_is_temperror_and_never_fail(void **state)
{
	(void)state;
	begin();
	put_set(1, "none");
	text_put(&mail, BYTES(FROM));
	expect(silent, AUTH_TEMPERROR, "key_unavailable", 1);
	expect(no_key, AUTH_FAIL, "no_key", 1);
	expect(wrong_key, AUTH_FAIL, "message_signature_mismatch", 1);
}

static void a_changed_body_fails_whatever_the_keys(void **state)
{
	(void)state;
	begin();
	put_set(1, "none");
	text_put(&mail, BYTES(FROM "changed"));
	expect(silent, AUTH_FAIL, "body_hash_mismatch", 1);
	expect(wrong_key, AUTH_FAIL, "body_hash_mismatch", 1);
}

static void a_failed_chain_cannot_be_extended(void **state)
{
	(void)state;
	begin();
	put_set(3, "pass");
	put_set(2, "fail");
	put_set(1, "none");
	text_put(&mail, BYTES(FROM));
	expect(wrong_key, AUTH_FAIL, "chain_failed_before", 3);
}

static void the_cv_of_each_set_must_fit_its_place(void **state)
{
	(void)state;
	begin();
	put_set(2, "pass");
	put_set(1, "pass");
	text_put(&mail, BYTES(FROM));
	expect(wrong_key, AUTH_FAIL, "cv_wrong", 2);
}

static void a_gap_fails(void **state)
{
	(void)state;
	begin();
	put_set(3, "pass");
	put_set(1, "none");
	text_put(&mail, BYTES(FROM));
	expect(wrong_key, AUTH_FAIL, "set_incomplete", 3);
}

static void fifty_sets_are_looked_at(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 50; i > 0; i--)
		put_set(i, i == 1 ? "none" : "pass");
	text_put(&mail, BYTES(FROM));
	expect(wrong_key, AUTH_FAIL, "message_signature_mismatch", 50);
}

static void fifty_one_sets_fail(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 51; i > 0; i--)
		put_set(i, i == 1 ? "none" : "pass");
	text_put(&mail, BYTES(FROM));
	expect(wrong_key, AUTH_FAIL, "instance_malformed", 50);
	begin();
	for (unsigned i = 0; i < 200; i++)
		put_set(1, "none");
	text_put(&mail, BYTES(FROM));
	expect(wrong_key, AUTH_FAIL, "duplicate_instance", 1);
}

struct aar_case {
	const char *value;
	bool good;
};

static const struct aar_case aar_cases[] = {
	{"i=1; x", true},
	{" (a (nested) comment) i (c) =\r\n 1 (\\)) ; x", true},
	{"i=1 ;", true},
	{"i=01; x", true},
	{"i=0; x", false},
	{"i=51; x", false},
	{"i=1", false},
	{"I=1; x", false},
	{"x; i=1;", false},
	{"i=1x; x", false},
	{"(i=1; x", false},
	{"", false},
};

static void results_begin_with_their_instance(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(aar_cases) / sizeof(aar_cases[0]); i++) {
		begin();
		text_printf(&mail, "ARC-Authentication-Results: %s\r\n", aar_cases[i].value);
		text_put(&mail, BYTES(FROM));
		expect(no_key, AUTH_FAIL,
			aar_cases[i].good ? "set_incomplete" : "instance_malformed",
			aar_cases[i].good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_arc_field_is_no_chain),
		cmocka_unit_test(a_key_that_cannot_be_had_is_temperror_and_never_fail),
		cmocka_unit_test(a_changed_body_fails_whatever_the_keys),
		cmocka_unit_test(a_failed_chain_cannot_be_extended),
		cmocka_unit_test(the_cv_of_each_set_must_fit_its_place),
		cmocka_unit_test(a_gap_fails),
		cmocka_unit_test(fifty_sets_are_looked_at),
		cmocka_unit_test(fifty_one_sets_fail),
		cmocka_unit_test(results_begin_with_their_instance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
