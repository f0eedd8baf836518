/* Seals that verify, and those that are not made. */
#include "auth/arc/arc_harness.h"
#include "auth/arc/arc_seal_message.h"
#include "auth/dkim/dkim_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1790000000
#define ID  "mx.example.org"
#define TAIL                                                                                       \
	"From: a@example.com\r\nTo: b@example.org\r\nSubject:  two  words\r\nDKIM-Signature: "     \
	"x\r\n"                                                                                    \
	"\r\nHello \t you\r\n\r\n"

static struct dkim_signer *signers[2]; /* RSA, Ed25519 */
static struct dns_zone *zone;
static char buffer[1 << 18];
static struct text mail;

static int setup(void **state)
{
	static char text_room[8192];
	char why[256];
	struct text text, record, problem;

	(void)state;
	text_init(&text, text_room, sizeof(text_room));
	text_init(&problem, why, sizeof(why));
	for (int i = 0; i < 2; i++) {
		char room[2048];

		assert_int_equal(dkim_signer_generate(i == 0 ? 1024 : 0, &signers[i]), 0);
		text_init(&record, room, sizeof(room));
		assert_int_equal(dkim_signer_record(signers[i], &record), 0);
		text_printf(&text, "s%d._domainkey.example.org. 60 IN TXT", i);
		for (struct bytes rest = text_bytes(&record); rest.len;
			rest = bytes_from(rest, 200))
			text_printf(&text, " \"%.*s\"", BYTES_FMT(bytes_slice(rest, 0, 200)));
		text_putc(&text, '\n');
	}
	assert_int_equal(dns_zone_parse(text_bytes(&text), "zone", &zone, &problem), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dns_zone_free(zone);
	dkim_signer_free(signers[0]);
	dkim_signer_free(signers[1]);
	return 0;
}

static void begin(const char *text)
{
	text_init(&mail, buffer, sizeof(buffer));
	text_put(&mail, bytes_str(text));
}

/* Puts text in front. */
static void prepend(const char *text)
{
	char *rest = malloc(mail.len);
	size_t len = mail.len;

	memcpy(rest, mail.data, len);
	text_reset(&mail);
	text_put(&mail, bytes_str(text));
	text_put(&mail, bytes_of(rest, len));
	assert_false(mail.overflow);
	free(rest);
}

/* Seals what is in `mail`. */
static enum arc_seal_refusal seal(int key)
{
	static char room[1 << 16];
	const struct arc_seal_options options = {
		.key = {signers[key], BYTES("example.org"), key ? BYTES("s1") : BYTES("s0")},
		.authserv_id = BYTES(ID),
		.now_unix_s = NOW,
	};
	enum arc_seal_refusal refusal;
	struct text out;

	text_init(&out, room, sizeof(room));
	assert_int_equal(arc_seal_message(&options, text_bytes(&mail), &out, &refusal), 0);
	if (refusal != ARC_SEAL_OK) {
		assert_int_equal(out.len, 0);
		return refusal;
	}
	text_putc(&out, '\0');
	prepend(room);
	return ARC_SEAL_OK;
}

static void expect(enum auth_result result, unsigned length)
{
	static struct arc_verifier *arc;
	struct dkim_harness h;

	dkim_harness_init(&h, zone);
	h.hooks = &arc_harness_hooks;
	h.ctx = &arc;
	for (int run = 0; run < 2; run++) {
		h.portion = run ? 1 : 0;
		dkim_harness_run(&h, text_bytes(&mail));
		assert_true(arc_verifier_done(arc));
		if (arc_verifier_result(arc) != result)
			fail_msg("%s: %s\n%s", auth_result_word(arc_verifier_result(arc)),
				arc_verifier_reason(arc), text_str(&mail));
		assert_int_equal(arc_verifier_chain_length(arc), length);
	}
	dkim_harness_fini(&h);
}

static void seals_of_either_algorithm_verify_on_top_of_each_other(void **state)
{
	(void)state;
	begin(TAIL);
	prepend("Authentication-Results: " ID "; spf=pass smtp.mailfrom=a@example.com\r\n");
	assert_int_equal(seal(0), ARC_SEAL_OK);
	expect(AUTH_PASS, 1);
	for (unsigned n = 2; n < 6; n++) {
		prepend("Authentication-Results: " ID ";\r\n\tarc=pass\r\n");
		assert_int_equal(seal(n % 2), ARC_SEAL_OK);
		expect(AUTH_PASS, n);
		/* One arc= only may speak of the chain: this is what a gateway cuts. */
		char *at = strstr(text_str(&mail), "Authentication-Results: " ID ";\r\n\tarc=pass");
		while (at && at[-1] == '-')
			at = strstr(at + 1, "Authentication-Results: " ID ";\r\n\tarc=pass");
		assert_non_null(at);
		at[0] = 'X';
	}
}

static void a_changed_message_breaks_the_seal(void **state)
{
	(void)state;
	begin(TAIL);
	assert_int_equal(seal(1), ARC_SEAL_OK);
	expect(AUTH_PASS, 1);
	prepend("From: somebody@else.example\r\n");
	expect(AUTH_FAIL, 1);
}

static void without_results_none_is_sealed(void **state)
{
	(void)state;
	begin(TAIL);
	assert_int_equal(seal(1), ARC_SEAL_OK);
	assert_non_null(
		strstr(text_str(&mail), "ARC-Authentication-Results: i=1; " ID "; none\r\n"));
}

static void a_failure_is_sealed_once_and_never_again(void **state)
{
	(void)state;
	begin(TAIL);
	assert_int_equal(seal(1), ARC_SEAL_OK);
	prepend("Authentication-Results: " ID "; arc=fail\r\n");
	assert_int_equal(seal(1), ARC_SEAL_OK);
	assert_non_null(strstr(text_str(&mail), "cv=fail"));
	expect(AUTH_FAIL, 2);
	assert_int_equal(seal(1), ARC_SEAL_CHAIN_FAILED);
}

static void put_sets(unsigned n)
{
	begin("");
	for (unsigned i = n; i > 0; i--)
		text_printf(&mail,
			"ARC-Seal: i=%u; a=rsa-sha256; cv=%s; d=example.org; s=s0; b=AAAA\r\n"
			"ARC-Message-Signature: i=%u; a=rsa-sha256; c=relaxed/relaxed; "
			"d=example.org; s=s0; h=from;\r\n"
			" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
			"ARC-Authentication-Results: i=%u; mx.example.com; none\r\n",
			i, i == 1 ? "none" : "pass", i, i);
	text_put(&mail, BYTES(TAIL));
}

static void the_fiftieth_set_is_the_last(void **state)
{
	(void)state;
	put_sets(49);
	prepend("Authentication-Results: " ID "; arc=pass\r\n");
	assert_int_equal(seal(1), ARC_SEAL_OK);
	assert_non_null(strstr(text_str(&mail), "i=50"));
	put_sets(50);
	prepend("Authentication-Results: " ID "; arc=pass\r\n");
	assert_int_equal(seal(1), ARC_SEAL_CHAIN_FULL);
	put_sets(51);
	prepend("Authentication-Results: " ID "; arc=fail\r\n");
	assert_int_equal(seal(1), ARC_SEAL_CHAIN_FULL);
}

struct results_case {
	const char *fields;
	const char *sealed; /* what the AAR says behind "i=2; "; NULL: refused */
	enum arc_seal_refusal refusal;
};

/* On a message with a chain of one set. */
static const struct results_case results_cases[] = {
	{"", NULL, ARC_SEAL_CHAIN_UNCHECKED},
	{"Authentication-Results: " ID "; arc=none\r\n", NULL, ARC_SEAL_CHAIN_UNCHECKED},
	{"Authentication-Results: " ID "; arc=temperror\r\n", NULL, ARC_SEAL_CHAIN_UNCHECKED},
	{"Authentication-Results: mx.example.com; arc=pass\r\n", NULL, ARC_SEAL_CHAIN_UNCHECKED},
	{"Authentication-Results: \"" ID "\" 1 (c;) ; arc (x) = pass (;)\r\n",
		ID ";\r\n\tarc (x) = pass (;)\r\n", ARC_SEAL_OK},
	{"authentication-results: MX.example.ORG; spf=pass reason=\"a;arc=fail\"; ARC=pass;\r\n",
		ID ";\r\n\tspf=pass reason=\"a;arc=fail\";\r\n\tARC=pass\r\n", ARC_SEAL_OK},
	/* The second cannot be read, and is left out. */
	{"Authentication-Results: " ID "; arc=pass\r\nAuthentication-Results: " ID
	 "; spf=pass (\r\n",
		ID ";\r\n\tarc=pass\r\n", ARC_SEAL_OK},
	{"Authentication-Results: " ID "; arc=pass\r\nAuthentication-Results : " ID
	 "; spf=pass\r\n",
		ID ";\r\n\tarc=pass\r\n", ARC_SEAL_OK},
	{"Authentication-Results: " ID "; arc=pass\r\nAuthentication-Results: " ID "; s=\"\r\n",
		ID ";\r\n\tarc=pass\r\n", ARC_SEAL_OK},
	{"Authentication-Results: " ID "; arc=pass\r\nAuthentication-Results: " ID "; x=\001\r\n",
		ID ";\r\n\tarc=pass\r\n", ARC_SEAL_OK},
	/* Who says two things of a chain cannot be believed. */
	{"Authentication-Results: " ID "; arc=pass; arc=pass\r\n",
		ID ";\r\n\tarc=pass;\r\n\tarc=pass\r\n", ARC_SEAL_OK},
};

static void the_results_of_our_id_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(results_cases) / sizeof(results_cases[0]); i++) {
		const struct results_case *c = &results_cases[i];
		char wanted[512];

		begin(TAIL);
		assert_int_equal(seal(1), ARC_SEAL_OK);
		prepend(c->fields);
		enum arc_seal_refusal refusal = seal(1);
		if (refusal != c->refusal)
			fail_msg("case %zu: %s", i, arc_seal_refusal_text(refusal));
		if (!c->sealed)
			continue;
		snprintf(wanted, sizeof(wanted), "ARC-Authentication-Results: i=2; %s", c->sealed);
		if (!strstr(text_str(&mail), wanted))
			fail_msg("case %zu: no %s in %s", i, wanted, text_str(&mail));
	}
	assert_non_null(strstr(text_str(&mail), "cv=fail")); /* of the last */
}

static void a_result_for_no_chain_is_refused(void **state)
{
	(void)state;
	begin(TAIL);
	prepend("Authentication-Results: " ID "; arc=pass\r\n");
	assert_int_equal(seal(1), ARC_SEAL_NO_CHAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_of_either_algorithm_verify_on_top_of_each_other),
		cmocka_unit_test(a_changed_message_breaks_the_seal),
		cmocka_unit_test(without_results_none_is_sealed),
		cmocka_unit_test(a_failure_is_sealed_once_and_never_again),
		cmocka_unit_test(the_fiftieth_set_is_the_last),
		cmocka_unit_test(the_results_of_our_id_decide),
		cmocka_unit_test(a_result_for_no_chain_is_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
