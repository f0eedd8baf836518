#include "gateway/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct ip_addr nobody;

#define RULES(on_reject, spf, from)                                                                \
	{                                                                                          \
		.dmarc_on_reject = on_reject, .spf_fail_rejects = spf,                             \
		.refuse_multiple_from = from                                                       \
	}
#define REJECT(spf, from)     RULES(POLICY_ON_REJECT_REJECT, spf, from)
#define QUARANTINE(spf, from) RULES(POLICY_ON_REJECT_QUARANTINE, spf, from)

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
		REJECT(false, true), POLICY_ACCEPT},
	{"p=reject is quarantine by default", AUTH_FAIL, AUTH_FAIL, AUTH_FAIL, DMARC_POLICY_REJECT,
		1, false, QUARANTINE(false, true), POLICY_QUARANTINE},
	{"p=reject with on_reject: reject", AUTH_FAIL, AUTH_FAIL, AUTH_FAIL, DMARC_POLICY_REJECT, 1,
		false, REJECT(false, true), POLICY_REJECT},
	{"p=quarantine", AUTH_NONE, AUTH_NONE, AUTH_FAIL, DMARC_POLICY_QUARANTINE, 1, false,
		REJECT(false, true), POLICY_QUARANTINE},
	{"p=none", AUTH_FAIL, AUTH_FAIL, AUTH_FAIL, DMARC_POLICY_NONE, 1, false, REJECT(true, true),
		POLICY_ACCEPT},
	{"SPF fail without DMARC is marked by default", AUTH_FAIL, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, REJECT(false, true), POLICY_ACCEPT},
	{"SPF fail without DMARC with spf.fail: reject", AUTH_FAIL, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, REJECT(true, true), POLICY_REJECT},
	{"a DKIM pass spares it", AUTH_FAIL, AUTH_PASS, AUTH_NONE, DMARC_POLICY_ABSENT, 1, false,
		REJECT(true, true), POLICY_ACCEPT},
	{"SPF softfail is never refused", AUTH_SOFTFAIL, AUTH_NONE, AUTH_NONE, DMARC_POLICY_ABSENT,
		1, false, REJECT(true, true), POLICY_ACCEPT},
	{"two author domains", AUTH_PASS, AUTH_PASS, AUTH_PERMERROR, DMARC_POLICY_ABSENT, 2, false,
		REJECT(false, true), POLICY_REJECT},
	{"two author domains, marked", AUTH_PASS, AUTH_PASS, AUTH_PERMERROR, DMARC_POLICY_ABSENT, 2,
		false, REJECT(false, false), POLICY_ACCEPT},
	{"a temporary error that could matter", AUTH_TEMPERROR, AUTH_NONE, AUTH_TEMPERROR,
		DMARC_POLICY_REJECT, 1, true, REJECT(false, true), POLICY_DEFER},
	{"a temporary error that could not", AUTH_TEMPERROR, AUTH_NONE, AUTH_TEMPERROR,
		DMARC_POLICY_NONE, 1, false, REJECT(false, true), POLICY_ACCEPT},
	{"an SPF temporary error where SPF refuses nothing", AUTH_TEMPERROR, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, REJECT(false, true), POLICY_ACCEPT},
	{"an SPF temporary error where SPF refuses", AUTH_TEMPERROR, AUTH_NONE, AUTH_NONE,
		DMARC_POLICY_ABSENT, 1, false, REJECT(true, true), POLICY_DEFER},
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

		policy_decide(&rows[i].config, &nobody, &verdict, &decision);
		if (decision.action != rows[i].action)
			fail_msg("%s: %s", rows[i].name, policy_action_word(decision.action));
	}
}

static void a_foreign_signature_spares_no_spf_fail(void **state)
{
	const struct policy_config config = {.dmarc_on_reject = POLICY_ON_REJECT_REJECT,
		.spf_fail_rejects = true,
		.refuse_multiple_from = true};
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
		policy_decide(&config, &nobody, &verdict, &decision);
		assert_int_equal(decision.action, signers[i].action);
	}
}

static void a_dmarc_refusal_names_the_domain(void **state)
{
	struct auth_verdict verdict = verdict_of(2);
	struct policy_decision decision;

	(void)state;
	policy_decide(&rows[2].config, &nobody, &verdict, &decision);
	assert_string_equal(decision.text, "Email rejected per DMARC policy for author.example");
	assert_int_equal(decision.reply->code, 550);
	assert_string_equal(decision.reply->status, "5.7.1");
}

static const char *const trusted[] = {"list.example", "Second.Example"};

/* Sets from the oldest: a letter for the sealer (l, s: on the list; x: not), a digit for what it
 * says of DMARC (1 pass, 0 fail, - nothing). */
static const struct {
	const char *sets;
	enum auth_result arc;
	enum policy_action action;
} chains[] = {
	{"", AUTH_NONE, POLICY_REJECT},
	{"l1", AUTH_PASS, POLICY_ACCEPT},
	{"s1", AUTH_PASS, POLICY_ACCEPT},
	{"l-", AUTH_PASS, POLICY_ACCEPT},
	{"l0", AUTH_PASS, POLICY_REJECT},
	{"x1", AUTH_PASS, POLICY_REJECT},
	{"l1x1", AUTH_PASS, POLICY_REJECT},
	{"x1l1", AUTH_PASS, POLICY_ACCEPT},
	{"x1l0", AUTH_PASS, POLICY_REJECT},
	{"s1l0", AUTH_PASS, POLICY_ACCEPT},
	{"s0l0", AUTH_PASS, POLICY_REJECT},
	{"s1x1l0", AUTH_PASS, POLICY_REJECT},
	{"l1", AUTH_FAIL, POLICY_REJECT},
	{"l1", AUTH_TEMPERROR, POLICY_DEFER},
	{"x1", AUTH_TEMPERROR, POLICY_REJECT},
};

static unsigned read_sets(const char *sets, struct auth_sealer sealers[8])
{
	unsigned n = 0;

	for (; *sets; sets += 2, n++)
		sealers[n] = (struct auth_sealer){
			.domain = *sets == 'l'   ? BYTES("list.example")
				  : *sets == 's' ? BYTES("second.example")
						 : BYTES("x.list.example"),
			.dmarc = sets[1] == '1'   ? AUTH_PASS
				 : sets[1] == '0' ? AUTH_FAIL
						  : AUTH_NONE,
		};
	return n;
}

static void the_seals_of_the_trusted_overrule_a_dmarc_fail(void **state)
{
	struct policy_config config = REJECT(false, true);

	(void)state;
	for (unsigned i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		struct auth_verdict verdict = verdict_of(2);
		struct auth_sealer sealers[8] = {{{NULL, 0}, AUTH_NONE}};
		struct policy_decision decision;

		verdict.arc.result = chains[i].arc;
		verdict.arc.chain_length = read_sets(chains[i].sets, sealers);
		if (verdict.arc.chain_length > 0)
			verdict.arc.sealer = sealers[verdict.arc.chain_length - 1].domain;
		if (chains[i].arc == AUTH_PASS)
			verdict.arc.sealers = sealers;
		config.sealers = NULL;
		config.n_sealers = 0;
		policy_decide(&config, &nobody, &verdict, &decision);
		assert_int_equal(decision.action, POLICY_REJECT);
		config.sealers = trusted;
		config.n_sealers = 2;
		policy_decide(&config, &nobody, &verdict, &decision);
		if (decision.action != chains[i].action)
			fail_msg("%s: %s", chains[i].sets, policy_action_word(decision.action));
		if (decision.action == POLICY_ACCEPT)
			assert_string_equal(decision.override, "trusted-sealer");
	}
}

static void no_seal_helps_a_mail_of_several_authors(void **state)
{
	struct policy_config config = REJECT(false, true);
	struct auth_verdict verdict = verdict_of(9);
	const struct auth_sealer sealer = {BYTES("list.example"), AUTH_PASS};
	struct policy_decision decision;

	(void)state;
	config.sealers = trusted;
	config.n_sealers = 2;
	verdict.arc.result = AUTH_PASS;
	verdict.arc.chain_length = 1;
	verdict.arc.sealers = &sealer;
	policy_decide(&config, &nobody, &verdict, &decision);
	assert_string_equal(decision.reason, "multiple-from");
}

static void a_forwarder_is_known_by_its_address(void **state)
{
	struct policy_config config = REJECT(true, true);
	struct ip_addr client;
	struct ip_cidr net;

	(void)state;
	assert_int_equal(ip_cidr_parse(BYTES("192.0.2.0/24"), true, &net), 0);
	config.forwarders = &net;
	config.n_forwarders = 1;
	/* A DMARC fail under p=reject, one under p=quarantine, an SPF fail, one not yet known. */
	for (unsigned i = 0; i < 4; i++) {
		static const unsigned of_row[] = {2, 3, 6, 14};
		struct auth_verdict verdict = verdict_of(of_row[i]);
		struct policy_decision decision;

		assert_int_equal(ip_addr_parse(BYTES("192.0.2.77"), &client), 0);
		policy_decide(&config, &client, &verdict, &decision);
		assert_int_equal(decision.action, POLICY_ACCEPT);
		assert_string_equal(decision.reason, "forwarder");
		assert_int_equal(ip_addr_parse(BYTES("198.51.100.77"), &client), 0);
		policy_decide(&config, &client, &verdict, &decision);
		assert_int_not_equal(decision.action, POLICY_ACCEPT);
		assert_null(decision.override);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_verdict_gets_the_action_of_its_row),
		cmocka_unit_test(a_foreign_signature_spares_no_spf_fail),
		cmocka_unit_test(a_dmarc_refusal_names_the_domain),
		cmocka_unit_test(the_seals_of_the_trusted_overrule_a_dmarc_fail),
		cmocka_unit_test(no_seal_helps_a_mail_of_several_authors),
		cmocka_unit_test(a_forwarder_is_known_by_its_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
