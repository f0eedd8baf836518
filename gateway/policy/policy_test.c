#include "gateway/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Every rule of DESIGN §7 that decides, as a row. */
static const struct {
	const char *name;
	enum auth_result spf, dkim, dmarc;
	enum dmarc_policy policy;
	unsigned from_domains;
	bool temporary;
	struct policy_config config;
	enum policy_action action;
} rows[] = {
	{"all pass", AUTH_PASS, AUTH_PASS, AUTH_PASS, DMARC_POLICY_REJECT, 1, false,
		{POLICY_ON_REJECT_REJECT, false, true}, POLICY_ACCEPT},
	{"p=reject is quarantine by default", AUTH_FAIL, AUTH_FAIL, AUTH_FAIL, DMARC_POLICY_REJECT,
		1, false, {POLICY_ON_REJECT_QUARANTINE, false, true}, POLICY_QUARANTINE},
	{"p=reject with on_reject: reject", AUTH_FAIL, AUTH_FAIL, AUTH_FAIL, DMARC_POLICY_REJECT, 1,
		false, {POLICY_ON_REJECT_REJECT, false, true}, POLICY_REJECT},
	{"p=quarantine", AUTH_NONE, AUTH_NONE, AUTH_FAIL, DMARC_POLICY_QUARANTINE, 1, false,
		{POLICY_ON_REJECT_REJECT, false, true}, POLICY_QUARANTINE},
	{"p=none", AUTH_FAIL, AUTH_FAIL, AUTH_FAIL, DMARC_POLICY_NONE, 1, false,
		{POLICY_ON_REJECT_REJECT, true, true}, POLICY_ACCEPT},
	{"SPF fail without DMARC is marked by default", AUTH_FAIL, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, {POLICY_ON_REJECT_REJECT, false, true},
		POLICY_ACCEPT},
	{"SPF fail without DMARC with spf.fail: reject", AUTH_FAIL, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, {POLICY_ON_REJECT_REJECT, true, true},
		POLICY_REJECT},
	{"a DKIM pass spares it", AUTH_FAIL, AUTH_PASS, AUTH_NONE, DMARC_POLICY_ABSENT, 1, false,
		{POLICY_ON_REJECT_REJECT, true, true}, POLICY_ACCEPT},
	{"SPF softfail is never refused", AUTH_SOFTFAIL, AUTH_NONE, AUTH_NONE, DMARC_POLICY_ABSENT,
		1, false, {POLICY_ON_REJECT_REJECT, true, true}, POLICY_ACCEPT},
	{"two author domains", AUTH_PASS, AUTH_PASS, AUTH_PERMERROR, DMARC_POLICY_ABSENT, 2, false,
		{POLICY_ON_REJECT_REJECT, false, true}, POLICY_REJECT},
	{"two author domains, marked", AUTH_PASS, AUTH_PASS, AUTH_PERMERROR, DMARC_POLICY_ABSENT, 2,
		false, {POLICY_ON_REJECT_REJECT, false, false}, POLICY_ACCEPT},
	{"a temporary error that could matter", AUTH_TEMPERROR, AUTH_NONE, AUTH_TEMPERROR,
		DMARC_POLICY_REJECT, 1, true, {POLICY_ON_REJECT_REJECT, false, true}, POLICY_DEFER},
	{"a temporary error that could not", AUTH_TEMPERROR, AUTH_NONE, AUTH_TEMPERROR,
		DMARC_POLICY_NONE, 1, false, {POLICY_ON_REJECT_REJECT, false, true}, POLICY_ACCEPT},
	{"an SPF temporary error where SPF refuses nothing", AUTH_TEMPERROR, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, {POLICY_ON_REJECT_REJECT, false, true},
		POLICY_ACCEPT},
	{"an SPF temporary error where SPF refuses", AUTH_TEMPERROR, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, {POLICY_ON_REJECT_REJECT, true, true}, POLICY_DEFER},
};

static struct auth_verdict verdict_of(unsigned i)
{
	struct auth_verdict v = {.n_dkim = 1, .n_dkim_fields = 1, .temporary = rows[i].temporary};

	v.spf.result = rows[i].spf;
	v.dkim[0].result = rows[i].dkim;
	v.dkim[0].domain = BYTES("mail.author.example");
	v.dmarc.result = rows[i].dmarc;
	v.dmarc.policy = rows[i].policy;
	v.dmarc.from_fields = 1;
	v.dmarc.from_domains = rows[i].from_domains;
	v.dmarc.from_domain = BYTES("author.example");
	return v;
}

static void each_verdict_gets_the_action_of_its_row(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth_verdict verdict = verdict_of(i);
		struct policy_decision decision;

		policy_decide(&rows[i].config, &verdict, &decision);
		if (decision.action != rows[i].action)
			fail_msg("%s: %s", rows[i].name, policy_action_word(decision.action));
	}
}

static void a_foreign_signature_spares_no_spf_fail(void **state)
{
	const struct policy_config config = {POLICY_ON_REJECT_REJECT, true, true};
	static const struct {
		struct bytes signer;
		enum policy_action action;
	} signers[] = {
		{BYTES("author.example"), POLICY_ACCEPT},
		{BYTES("Example"), POLICY_ACCEPT},
		{BYTES("a.author.example"), POLICY_ACCEPT},
		{BYTES("other.example"), POLICY_REJECT},
		{BYTES("notauthor.example"), POLICY_REJECT},
		{BYTES(""), POLICY_REJECT},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(signers) / sizeof(signers[0]); i++) {
		struct auth_verdict verdict = verdict_of(0);
		struct policy_decision decision;

		verdict.spf.result = AUTH_FAIL;
		verdict.dmarc.result = AUTH_NONE;
		verdict.dkim[0].domain = signers[i].signer;
		policy_decide(&config, &verdict, &decision);
		assert_int_equal(decision.action, signers[i].action);
	}
}

static void a_dmarc_refusal_names_the_domain(void **state)
{
	struct auth_verdict verdict = verdict_of(2);
	struct policy_decision decision;

	(void)state;
	policy_decide(&rows[2].config, &verdict, &decision);
	assert_string_equal(decision.text, "Email rejected per DMARC policy for author.example");
	assert_int_equal(decision.reply->code, 550);
	assert_string_equal(decision.reply->status, "5.7.1");
	assert_string_equal(policy_dmarc_disposition(&rows[2].config, &verdict), "reject");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_verdict_gets_the_action_of_its_row),
		cmocka_unit_test(a_foreign_signature_spares_no_spf_fail),
		cmocka_unit_test(a_dmarc_refusal_names_the_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
