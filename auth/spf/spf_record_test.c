#include "auth/spf/spf_record.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct spf_record *parse(struct bytes text)
{
	struct dns_record record = {.text = text};
	struct spf_record *parsed = spf_record_new(&record, 1);

	assert_non_null(parsed);
	return parsed;
}

static enum spf_record_status status_of(const char *text)
{
	struct spf_record *record = parse(bytes_str(text));
	enum spf_record_status status = record->status;

	if ((status == SPF_RECORD_INVALID) != (record->error != NULL))
		fail_msg("%s: error and status differ", text);
	spf_record_free(record);
	return status;
}

static void finds_the_one_record_among_others(void **state)
{
	struct dns_record records[] = {{.text = BYTES("spf2.0/pra -all")},
		{.text = BYTES("v=spf10 -all")}, {.text = BYTES("\x96")}, {.text = BYTES("")},
		{.text = BYTES("V=sPf1 -all")}, {.text = BYTES("v=spf1 -all")}};
	struct spf_record *record;
	(void)state;

	record = spf_record_new(records, 4);
	assert_int_equal(record->status, SPF_RECORD_NONE);
	spf_record_free(record);
	record = spf_record_new(records, 5);
	assert_int_equal(record->status, SPF_RECORD_OK);
	assert_int_equal(record->n_terms, 1);
	spf_record_free(record);
	record = spf_record_new(records, 6);
	assert_int_equal(record->status, SPF_RECORD_SEVERAL);
	spf_record_free(record);
	record = spf_record_new(NULL, 0);
	assert_int_equal(record->status, SPF_RECORD_NONE);
	spf_record_free(record);
}

static void reads_every_kind_of_term(void **state)
{
	struct spf_record *record =
		parse(BYTES("v=spf1  -a:a.example.com/24//64 ~mx//48 ?ptr "
			    "+include:%{d2}.org ip4:192.0.2.0/25 ip6:2001:db8::/32 "
			    "exists:%{i}.x.org A/0 eXp=e.org redirect=r.org x.y=%{c} "));
	static const struct {
		enum spf_mechanism mechanism;
		enum auth_result qualifier;
		unsigned cidr4, cidr6;
		const char *domain_spec;
	} expected[] = {
		{SPF_A, AUTH_FAIL, 24, 64, "a.example.com"},
		{SPF_MX, AUTH_SOFTFAIL, 32, 48, ""},
		{SPF_PTR, AUTH_NEUTRAL, 32, 128, ""},
		{SPF_INCLUDE, AUTH_PASS, 32, 128, "%{d2}.org"},
		{SPF_IP4, AUTH_PASS, 25, 128, ""},
		{SPF_IP6, AUTH_PASS, 32, 32, ""},
		{SPF_EXISTS, AUTH_PASS, 32, 128, "%{i}.x.org"},
		{SPF_A, AUTH_PASS, 0, 128, ""},
	};
	(void)state;

	assert_int_equal(record->status, SPF_RECORD_OK);
	assert_int_equal(record->n_terms, sizeof(expected) / sizeof(expected[0]));
	for (unsigned i = 0; i < record->n_terms; i++) {
		const struct spf_term *term = &record->terms[i];
		assert_int_equal(term->mechanism, expected[i].mechanism);
		assert_int_equal(term->qualifier, expected[i].qualifier);
		assert_int_equal(term->cidr4, expected[i].cidr4);
		assert_int_equal(term->cidr6, expected[i].cidr6);
		assert_true(bytes_eq(term->domain_spec, bytes_str(expected[i].domain_spec)));
	}
	assert_true(bytes_eq(record->explanation, BYTES("e.org")));
	assert_true(bytes_eq(record->redirect, BYTES("r.org")));
	assert_false(record->bare_reject);
	spf_record_free(record);
}

static void finds_errors_anywhere(void **state)
{
	static const char *const bad[] = {"moo", "-all moo", "all.", "all:x.org", "all/8",
		"a:", "a/33", "a//129", "a/24/64", "a/08", "a//", "a/", "a:museum", "mx:abc.123",
		"ptr/0", "ptr:", "include", "include:", "include:a.org/24", "exists",
		"exists:a.org/24", "ip4", "ip4:", "ip4:1.2.3", "ip4:1.2.3.4/33", "ip4:1.2.3.4/032",
		"ip4:1.2.3.4//32", "ip4:1.2.3.4:80", "ip4:1.2.3.04", "ip6:::1/129", "ip6:::1//33",
		"ip6::cafe::babe", "ip6:1.2.3.4", "ip4:::1", "redirect:a.org",
		"exp=", "redirect=", "exp=-all", "exp=a.org exp=b.org",
		"redirect=a.org redirect=a.org", "1up=x", "=all", "x=%abc", "x.y/z=a", "x:y=a",
		"--all", "- all", "+", "a:a.org\rptr", "ip4:1.2.3.4\n", "exp=%{r}.org",
		"a:example.com/24x", "a:b.org/999999999999999999999"};
	static const char *const good[] = {"", " ", "  all  ", "a:foo//bar.example.com",
		"a:foo:bar/baz.example.com/24", "x=", "default=+", "x=%{c}", "mx/24//0", "aLL",
		"iP4:0.0.0.0/0", "ip6:::ffff:1.2.3.4", "ip6:::1.1.1.1/0", "a:%{d/}/24"};
	char text[256];
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "v=spf1 ip4:192.0.2.1 %s", bad[i]);
		if (status_of(text) != SPF_RECORD_INVALID)
			fail_msg("taken: %s", text);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "v=spf1 %s", good[i]);
		if (status_of(text) != SPF_RECORD_OK)
			fail_msg("refused: %s", text);
	}
}

static void knows_the_bare_reject(void **state)
{
	static const struct {
		const char *text;
		bool bare;
	} cases[] = {{"v=spf1 -all", true}, {"V=SPF1  -ALL ", true}, {"v=spf1 ~all", false},
		{"v=spf1 -all exp=a.org", false}, {"v=spf1 -all x=y", false},
		{"v=spf1 a -all", false}, {"v=spf1", false}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spf_record *record = parse(bytes_str(cases[i].text));
		assert_int_equal(record->bare_reject, cases[i].bare);
		spf_record_free(record);
	}
}

static void bounds_the_number_of_terms(void **state)
{
	struct bytes term = BYTES(" a");
	size_t len = 6 + (SPF_RECORD_MAX_TERMS + 1) * term.len;
	uint8_t *text = malloc(len);
	struct spf_record *record;
	(void)state;

	assert_non_null(text);
	memcpy(text, "v=spf1", 6);
	for (size_t i = 6; i < len; i += term.len)
		memcpy(text + i, term.data, term.len);
	record = parse(bytes_of(text, len - term.len));
	assert_int_equal(record->status, SPF_RECORD_OK);
	assert_int_equal(record->n_terms, SPF_RECORD_MAX_TERMS);
	spf_record_free(record);
	record = parse(bytes_of(text, len));
	assert_int_equal(record->status, SPF_RECORD_INVALID);
	spf_record_free(record);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_one_record_among_others),
		cmocka_unit_test(reads_every_kind_of_term),
		cmocka_unit_test(finds_errors_anywhere),
		cmocka_unit_test(knows_the_bare_reject),
		cmocka_unit_test(bounds_the_number_of_terms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
