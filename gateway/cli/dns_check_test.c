#include "gateway/cli/dns_check.h"

#include "auth/dns/dns_zone.h"
#include "auth/pipeline.h"
#include "base/testing.h"

/* A public key of each kind, as `postern dkim keygen` prints it. */
#define RSA_512                                                                                    \
	"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALYe70MkOJsNldtGxeorGWMQqvuBV4I4W4DJwGVjQLXXE36/"         \
	"CTgPwExCZkpi4JgM1pDobJzsdSw/DMZc7cmDaAUCAwEAAQ=="
#define RSA_1024                                                                                   \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCxc85gBZ5aDstPYrLfFPBm8YXEJxdML5D1helRl3E7"         \
	"AheZc9A3kE2cipSARGr6VnZhDfcS1abxDwJ8jNKOyfU6FhCRVhv2sTxK+U3Sf4m5QMMiil62eFRaiMQU"         \
	"Beok4sLxshXUK/ZRjhutvcYnwZE/fpmxh9ufs0m8Tsqv7r0i1wIDAQAB"
#define ED25519 "1M7P74/ljfoGZbrzRD8rmNCUgCYh6xU3RzszBNMwVwk="

#define LINE(name, data) name " 60 IN " data "\n"
#define TXT(name, text)  LINE(name, "TXT \"" text "\"")
#define MX               LINE("d.example", "MX 10 mx.d.example") LINE("mx.d.example", "A 198.51.100.1")

static char said[65536];
static unsigned found[DNS_CHECK_SEVERITY_COUNT];
static unsigned asked;

static const struct dns_answer *ask(void *zone, const struct dns_question *question)
{
	const struct dns_answer *answer = dns_zone_answer(zone, &auth_dns_parsers, question);

	assert_non_null(answer);
	return answer;
}

/* What is said of d.example with these records; the selectors are parted by blanks. */
static void run(const char *records, const char *selectors)
{
	struct dns_check check = {.ask = ask, .out = fmemopen(said, sizeof(said), "w")};
	char why_room[256], words[64];
	const char *selector[8];
	struct dns_zone *zone;
	unsigned n = 0;
	struct text why;
	char *rest = words;

	assert_non_null(check.out);
	text_init(&why, why_room, sizeof(why_room));
	if (dns_zone_parse(bytes_str(records), "zone", &zone, &why) != 0)
		fail_msg("%s", text_str(&why));
	snprintf(words, sizeof(words), "%s", selectors);
	for (char *word; n < 8 && (word = strsep(&rest, " ")) != NULL;)
		if (*word)
			selector[n++] = word;
	check.arg = zone;
	dns_check_run(&check, BYTES("d.example"), selector, n);
	fclose(check.out);
	memcpy(found, check.found, sizeof(found));
	asked = check.asked;
	dns_zone_free(zone);
}

struct one {
	const char *records, *said;
};

static void try_all(const struct one *cases, size_t n, const char *selectors)
{
	for (size_t i = 0; i < n; i++) {
		run(cases[i].records, selectors);
		if (!strstr(said, cases[i].said))
			fail_msg("case %zu: '%s' is not in:\n%s", i, cases[i].said, said);
	}
}
#define TRY(cases, selectors) try_all(cases, sizeof(cases) / sizeof((cases)[0]), selectors)

static void a_domain_in_order_has_no_problem_and_no_warning(void **state)
{
	(void)state;
	/* clang-format off */
	run(MX TXT("d.example", "v=spf1 mx include:_spf.d.example -all")
		TXT("_spf.d.example", "v=spf1 ip4:198.51.100.0/24 -all")
		TXT("s._domainkey.d.example", "v=DKIM1; k=ed25519; p=" ED25519)
		TXT("_dmarc.d.example", "v=DMARC1; p=reject; rua=mailto:a@d.example,mailto:b@r.example")
		TXT("d.example._report._dmarc.r.example", "v=DMARC1;")
		TXT("_mta-sts.d.example", "v=STSv1; id=20240101T000000;")
		LINE("mta-sts.d.example", "A 198.51.100.1")
		TXT("_smtp._tls.d.example", "v=TLSRPTv1; rua=mailto:t@d.example"), "s");
	/* clang-format on */
	assert_string_equal(said,
		"MX      ok       10 mx.d.example (198.51.100.1)\n"
		"SPF     ok       3 terms, 2 of 10 look-ups\n"
		"DKIM    ok       s: Ed25519; sign by an RSA key too, as many know no other\n"
		"DMARC   ok       p=reject\n"
		"MTA-STS ok       the policy at https://mta-sts.d.example/.well-known/mta-sts.txt "
		"is "
		"not fetched here: see that its mx: lines name all MX\n"
		"TLS-RPT ok       reports go to 1 place\n");
	assert_int_equal(found[DNS_CHECK_PROBLEM] + found[DNS_CHECK_WARNING], 0);
}

static void says_what_is_wrong_with_mx(void **state)
{
	static const struct one cases[] = {
		{TXT("e.example", "x"), "MX      problem  there is no domain d.example"},
		{TXT("d.example", "x"), "MX      problem  no MX and no address"},
		{LINE("d.example", "A 198.51.100.1"), "MX      warning  no MX: mail goes to"},
		{LINE("d.example", "MX 10 mx.d.example"),
			"MX      problem  10 mx.d.example has no address"},
		{LINE("d.example", "MX 10 192.0.2.1"),
			"MX      problem  10 192.0.2.1 is an address"},
		{LINE("d.example", "MX 10 mx.d.example") LINE("mx.d.example", "AAAA fd00::1"),
			"MX      warning  10 mx.d.example (fd00::1): nobody outside"},
		{MX LINE("d.example", "MX 20 mx.d.example"),
			"MX      note     20 mx.d.example is listed twice"},
		{LINE("d.example", "MX 0 ."), "MX      ok       null MX"},
		{MX LINE("d.example", "MX 0 ."), "MX      problem  a null MX (`.`) beside others"},
		{"d.example 60 IN SERVFAIL MX\n",
			"MX      unknown  no answer for d.example (servfail)"},
	};

	(void)state;
	TRY(cases, "");
	run(TXT("e.example", "x"), "s");
	assert_int_equal(asked, 1); /* of a domain that is not there nothing else is asked */
}

static void says_what_is_wrong_with_spf(void **state)
{
#define SPF(text) MX TXT("d.example", text)
	static const struct one cases[] = {
		{MX, "SPF     warning  no SPF record"},
		{SPF("v=spf1 -all") TXT("d.example", "v=spf1 mx -all"),
			"SPF     problem  d.example has more than one SPF record"},
		{SPF("v=spf1 ip4:1.2.3 -all"),
			"SPF     problem  the SPF record of d.example cannot be understood"},
		{SPF("v=spf1 +all"), "SPF     problem  `+all` in the record of d.example"},
		{SPF("v=spf1 include:e.example -all") TXT("e.example", "v=spf1 all"),
			"SPF     problem  `+all` in the record of e.example"},
		{SPF("v=spf1 mx ?all"), "SPF     warning  it ends in `?all`"},
		{SPF("v=spf1 mx"), "SPF     warning  it has neither `all` nor redirect="},
		{SPF("v=spf1 -all mx"), "SPF     warning  what stands behind `all`"},
		{SPF("v=spf1 ptr -all"), "SPF     warning  `ptr` in the record of d.example"},
		{SPF("v=spf1 a:no.example -all"),
			"SPF     warning  `a` of no.example: it has no address"},
		{SPF("v=spf1 mx:no.example -all"),
			"SPF     warning  `mx` of no.example: it has no MX"},
		{SPF("v=spf1 include:no.example -all"),
			"SPF     problem  include:no.example: that domain has no SPF record"},
		{SPF("v=spf1 redirect=no.example"),
			"SPF     problem  redirect=no.example: that domain has no SPF record"},
		{SPF("v=spf1 include:d.example -all"),
			"SPF     problem  includes go round in a circle"},
		{SPF("v=spf1 include:d.example include:d.example include:d.example -all"),
			"SPF     problem  it needs more than 20 look-ups"},
		{SPF("v=spf1 a a a a a a a a a a a -all"), "SPF     problem  it needs 11 look-ups"},
		{SPF("v=spf1 a:mx.d.example redirect=e.example") TXT("e.example", "v=spf1 -all"),
			"SPF     ok       1 terms, 2 of 10 look-ups"},
		{SPF("v=spf1 exists:%{i}.e.example -all"), "SPF     ok       2 terms, 1 of 10"},
		{SPF("v=spf1 include:%{d}.e.example -all"),
			"SPF     note     `%{d}.e.example` depends"},
		{MX "d.example 60 IN TIMEOUT TXT\n",
			"SPF     unknown  no answer for d.example (timeout)"},
	};

	(void)state;
	TRY(cases, "");
}

static void says_what_is_wrong_with_dkim_keys(void **state)
{
#define KEY(text) MX TXT("s._domainkey.d.example", text)
	static const struct one cases[] = {
		{MX, "DKIM    problem  s: no TXT record at s._domainkey.d.example"},
		{KEY("hello"), "DKIM    problem  s: it is no DKIM key record"},
		{KEY("v=DKIM1; p="), "DKIM    note     s: revoked"},
		{KEY("v=DKIM1; p=AAAA"), "DKIM    problem  s: p= is no public key"},
		{KEY("v=DKIM1; k=dsa; p=AAAA"), "DKIM    problem  s: k= is neither"},
		{KEY("v=DKIM1; p=" RSA_512), "DKIM    problem  s: RSA of 512 bits"},
		{KEY("v=DKIM1; p=" RSA_1024), "DKIM    warning  s: RSA of 1024 bits still passes"},
		{KEY("v=DKIM1; h=sha1; p=" RSA_1024), "DKIM    problem  s: h= leaves out sha256"},
		{KEY("v=DKIM1; s=tls; p=" RSA_1024), "DKIM    problem  s: s= leaves out email"},
		{KEY("v=DKIM1; t=y; p=" RSA_1024), "DKIM    note     s: t=y"},
		{KEY("v=DKIM1; p=" RSA_1024)
				TXT("s._domainkey.d.example", "v=DKIM1; k=ed25519; p=" ED25519),
			"DKIM    problem  s: more than one key record"},
	};
	static const struct one without[] = {
		{MX, "DKIM    warning  no keys: mail is not signed"},
		{KEY("v=DKIM1; p="), "DKIM    note     there may be keys"},
	};

	(void)state;
	TRY(cases, "s");
	TRY(without, "");
	run(KEY("v=DKIM1; p="), "s t");
	assert_non_null(strstr(said, " s: revoked"));
	assert_non_null(strstr(said, " t: no TXT record"));
}

static void says_what_is_wrong_with_dmarc(void **state)
{
#define DMARC(text) MX TXT("_dmarc.d.example", text)
	static const struct one cases[] = {
		{MX, "DMARC   warning  no DMARC record"},
		{DMARC("v=spf1 -all"),
			"DMARC   warning  the TXT record at _dmarc.d.example is no DMARC"},
		{DMARC("v=DMARC1; p=none") TXT("_dmarc.d.example", "v=DMARC1; p=reject"),
			"DMARC   problem  more than one record at _dmarc.d.example"},
		{DMARC("v=DMARC1; p=none; rua=mailto:a@d.example"), "DMARC   note     p=none"},
		{DMARC("v=DMARC1; p=reject"), "DMARC   warning  no rua="},
		{DMARC("v=DMARC1; rua=mailto:a@d.example"),
			"DMARC   problem  the record has no p="},
		{DMARC("v=DMARC1; p=regect"), "DMARC   problem  p=regect is none of"},
		{DMARC("v=DMARC1; p=reject; sp=x"), "DMARC   problem  sp=x is none of"},
		{DMARC("v=DMARC1; p=reject; pct=50"), "DMARC   note     pct= is gone"},
		{DMARC("v=DMARC1; p=reject; t=y"), "DMARC   note     t=y"},
		{DMARC("v=DMARC1; p=reject rua=mailto:a@d.example"),
			"DMARC   problem  p=reject rua=mailto:a@d.example is none of"},
		{DMARC("v=DMARC1; p=reject; rua=a@d.example"),
			"DMARC   warning  rua: `a@d.example` is no mailto:"},
		{DMARC("v=DMARC1; p=reject; rua=mailto:a@r.example!10m"),
			"DMARC   problem  rua: reports to r.example are not sent: it must publish "
			"TXT "
			"`v=DMARC1;` at d.example._report._dmarc.r.example"},
		{DMARC("v=DMARC1; p=reject; ruf=mailto:a@xd.example"),
			"DMARC   problem  ruf: reports to xd.example are not sent"},
		{DMARC("v=DMARC1; p=reject; rua=mailto:a@in.d.example"),
			"DMARC   ok       p=reject"},
		{MX TXT("_dmarc.example",
			 "v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@example"),
			"DMARC   note     the record of example applies (sp=quarantine)"},
		{MX "_dmarc.d.example 60 IN SERVFAIL TXT\n",
			"DMARC   unknown  no answer for _dmarc.d.example (servfail)"},
	};

	(void)state;
	TRY(cases, "");
}

static void says_what_is_wrong_with_mta_sts_and_tls_reports(void **state)
{
#define STS(text) MX TXT("_mta-sts.d.example", text)
#define HOST      LINE("mta-sts.d.example", "A 198.51.100.1")
#define RPT(text) MX TXT("_smtp._tls.d.example", text)
	static const struct one cases[] = {
		{MX, "MTA-STS note     not used"},
		{MX, "TLS-RPT note     not used"},
		{STS("v=STSv1; id=1"), "MTA-STS problem  mta-sts.d.example has no address"},
		{STS("v=STSv1; id=1") HOST, "TLS-RPT warning  not used"},
		{STS("v=STSv1") HOST, "MTA-STS problem  id= must be"},
		{STS("v=STSv1; id=a-b") HOST, "MTA-STS problem  id= must be"},
		{STS("v=STSv1; id=1") TXT("_mta-sts.d.example", "v=STSv1; id=2"),
			"MTA-STS problem  more than one record"},
		{STS("v=STSv10; id=1"),
			"MTA-STS warning  the TXT record at _mta-sts.d.example does not"},
		{RPT("v=TLSRPTv1"), "TLS-RPT problem  the record has no rua="},
		{RPT("v=TLSRPTv1; rua=d.example"), "TLS-RPT warning  rua: `d.example` is neither"},
		{RPT("v=TLSRPTv1; rua=mailto:a@d.example,https://d.example/t"),
			"TLS-RPT ok       reports go to 2 places"},
		{MX "_smtp._tls.d.example 60 IN TIMEOUT TXT\n", "TLS-RPT unknown  no answer"},
	};

	(void)state;
	TRY(cases, "");
}

static void what_others_wrote_stays_on_its_line(void **state)
{
	(void)state;
	run(MX TXT("_dmarc.d.example", "v=DMARC1; p=\\200[2J")
			TXT("d.example", "v=spf1 \\027[2J\\010x -all"),
		"");
	assert_non_null(strstr(said, "DMARC   problem  p=?[2J"));
	assert_non_null(strstr(said, " at `?[2J?x`"));
	for (const char *c = said; *c; c++)
		assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
}

/* Records that lead to more, without end. */
static void asks_no_more_than_its_limit(void **state)
{
	static char zone[262144];
	struct text text;

	(void)state;
	text_init(&text, zone, sizeof(zone));
	text_put(&text, BYTES(MX));
	for (unsigned i = 0; i < 400; i++)
		text_printf(&text, "d.example 60 IN MX %u h%u.example\n", i, i);
	run(text_str(&text), "");
	assert_int_equal(asked, DNS_CHECK_QUESTIONS_MAX);
	assert_non_null(strstr(said, "questions are enough"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_domain_in_order_has_no_problem_and_no_warning),
		cmocka_unit_test(says_what_is_wrong_with_mx),
		cmocka_unit_test(says_what_is_wrong_with_spf),
		cmocka_unit_test(says_what_is_wrong_with_dkim_keys),
		cmocka_unit_test(says_what_is_wrong_with_dmarc),
		cmocka_unit_test(says_what_is_wrong_with_mta_sts_and_tls_reports),
		cmocka_unit_test(what_others_wrote_stays_on_its_line),
		cmocka_unit_test(asks_no_more_than_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
