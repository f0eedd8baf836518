#include "auth/dmarc/dmarc_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define ABSENT     DMARC_POLICY_ABSENT
#define NONE       DMARC_POLICY_NONE
#define QUARANTINE DMARC_POLICY_QUARANTINE
#define REJECT     DMARC_POLICY_REJECT

static void reads_policies_and_what_they_fall_back_to(void **state)
{
	static const struct {
		const char *text;
		enum dmarc_policy p, sp, np;
	} cases[] = {
		{"v=DMARC1; p=reject", REJECT, REJECT, REJECT},
		{"v=DMARC1;p=reject;sp=none", REJECT, NONE, NONE},
		{"v=DMARC1; p=none; sp=quarantine; np=reject;", NONE, QUARANTINE, REJECT},
		{"v=DMARC1; p=none; np=reject", NONE, NONE, REJECT},
		{"v = DMARC1 ; P = Reject ; SP=QuaranTine", REJECT, QUARANTINE, QUARANTINE},
		{"v=DMARC1; rua=mailto:d@x.org; p=quarantine", QUARANTINE, QUARANTINE, QUARANTINE},
		{"v=DMARC1; p=reject; p=none", REJECT, REJECT, REJECT},
		{"v=DMARC1; p=reject; x; ;; =; y==z; pct=0; rf=afrf; ri=1", REJECT, REJECT, REJECT},
		/* without a valid p, or with a wrong sp or np: p=none if there is a valid rua */
		{"v=DMARC1", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1;", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; p=", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; p=rejectt", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; sp=reject", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; p=reject; sp=x", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; p=reject; np=", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; rua=mailto:d@x.org", NONE, NONE, NONE},
		{"v=DMARC1; p=x; rua=junk, mailto:d@x.org!10m", NONE, NONE, NONE},
		{"v=DMARC1; p=reject; np=x; rua=https://x.org/r", NONE, NONE, NONE},
		{"v=DMARC1; rua=mailto:", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; rua=mailto:x", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; rua=d@x.org", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; rua=mailto:@x.org", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; rua=mailto:a b@x.org", ABSENT, ABSENT, ABSENT},
		{"v=DMARC1; rua=,,", ABSENT, ABSENT, ABSENT},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_record record;
		if (!dmarc_record_parse(bytes_str(cases[i].text), &record))
			fail_msg("no record: %s", cases[i].text);
		if (record.p != cases[i].p || record.sp != cases[i].sp || record.np != cases[i].np)
			fail_msg("%s: p %u sp %u np %u", cases[i].text, record.p, record.sp,
				record.np);
	}
}

static void takes_only_the_version_that_comes_first(void **state)
{
	static const char *const bad[] = {"", " v=DMARC1; p=none", "v=dmarc1; p=none",
		"v=DMARC1x; p=none", "v=DMARC1 p=none", "v=DMARC2; p=none", "p=none; v=DMARC1",
		"v=DMARC; p=none", "DMARC1; p=none", ";v=DMARC1", "v==DMARC1", "v=spf1 -all"};
	struct dmarc_record record;
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (dmarc_record_parse(bytes_str(bad[i]), &record))
			fail_msg("taken: %s", bad[i]);
	}
	assert_false(dmarc_record_parse(BYTES("v=DMARC1\0; p=none"), &record));
}

static void reads_the_other_tags_in_any_case_and_defaults_what_is_wrong(void **state)
{
	struct dmarc_record record;
	(void)state;

	assert_true(dmarc_record_parse(
		BYTES("v=DMARC1; p=none; adkim=S; ASPF = s; t=Y; psd=N"), &record));
	assert_true(record.strict_dkim && record.strict_spf && record.testing);
	assert_int_equal(record.psd, DMARC_PSD_NO);
	assert_true(dmarc_record_parse(
		BYTES("v=DMARC1; p=none; adkim=x; aspf=ss; t=yes; psd=maybe"), &record));
	assert_false(record.strict_dkim || record.strict_spf || record.testing);
	assert_int_equal(record.psd, DMARC_PSD_UNKNOWN);
	assert_true(dmarc_record_parse(BYTES("v=DMARC1; p=none; psd=y; psd=n"), &record));
	assert_int_equal(record.psd, DMARC_PSD_YES);
}

static void discards_several_records_but_not_one_among_other_text(void **state)
{
	struct dns_record records[] = {{.text = BYTES("hello")},
		{.text = BYTES("v=DMARC1; p=reject")}, {.text = BYTES("v=DMARC1; p=none")}};
	struct dmarc_record record;
	(void)state;

	dmarc_record_select(records, 1, &record);
	assert_false(record.found || record.several);
	dmarc_record_select(records, 2, &record);
	assert_true(record.found);
	assert_int_equal(record.p, REJECT);
	dmarc_record_select(records, 3, &record);
	assert_false(record.found);
	assert_true(record.several);
	dmarc_record_select(NULL, 0, &record);
	assert_false(record.found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_policies_and_what_they_fall_back_to),
		cmocka_unit_test(takes_only_the_version_that_comes_first),
		cmocka_unit_test(reads_the_other_tags_in_any_case_and_defaults_what_is_wrong),
		cmocka_unit_test(discards_several_records_but_not_one_among_other_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
