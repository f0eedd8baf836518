#include "auth/spf/spf_macro.h"

#include "auth/dns/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* The example of RFC 7208 §7.4. */
static struct spf_macro_values example(const char *client)
{
	struct spf_macro_values values = {
		.local_part = BYTES("strong-bad"),
		.sender_domain = BYTES("email.example.com"),
		.domain = BYTES("email.example.com"),
		.helo = BYTES("mx.example.org"),
		.receiver = BYTES("gate.example.net"),
		.validated = BYTES("mx.example.org"),
		.now_unix_s = 1700000000,
	};
	assert_int_equal(ip_addr_parse(bytes_str(client), &values.client), 0);
	return values;
}

struct expansion {
	const char *string, *expected;
};

static void check_expansions(const char *client, const struct expansion *cases, size_t n)
{
	struct spf_macro_values values = example(client);

	for (size_t i = 0; i < n; i++) {
		char room[512];
		struct text out;
		struct bytes string = bytes_str(cases[i].string);
		assert_true(spf_macro_valid(string, SPF_MACRO_EXPLAIN));
		text_init(&out, room, sizeof(room));
		spf_macro_expand(string, &values, &out);
		assert_false(out.overflow);
		assert_string_equal(text_str(&out), cases[i].expected);
	}
}

static void expands_as_the_rfc_shows(void **state)
{
	static const struct expansion v4[] = {
		{"%{s}", "strong-bad@email.example.com"},
		{"%{o}", "email.example.com"},
		{"%{d}", "email.example.com"},
		{"%{d4}", "email.example.com"},
		{"%{d3}", "email.example.com"},
		{"%{d2}", "example.com"},
		{"%{d1}", "com"},
		{"%{dr}", "com.example.email"},
		{"%{d2r}", "example.email"},
		{"%{l}", "strong-bad"},
		{"%{l-}", "strong.bad"},
		{"%{lr}", "strong-bad"},
		{"%{lr-}", "bad.strong"},
		{"%{l1r-}", "strong"},
		{"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
			"3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		{"%{c} %{r} %{t}", "192.0.2.3 gate.example.net 1700000000"},
		{"%{p}|%{h}", "mx.example.org|mx.example.org"},
		{"%%%_%-", "% %20"},
		{"", ""},
	};
	static const struct expansion v6[] = {
		{"%{ir}.%{v}._spf.%{d2}",
			"1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf."
			"example.com"},
		{"%{c}", "2001:db8::cb01"},
		{"%{i4}", "C.B.0.1"},
	};
	(void)state;
	check_expansions("192.0.2.3", v4, sizeof(v4) / sizeof(v4[0]));
	check_expansions("::ffff:192.0.2.3", v4, sizeof(v4) / sizeof(v4[0]));
	check_expansions("2001:db8::cb01", v6, sizeof(v6) / sizeof(v6[0]));
}

static void keeps_all_parts_when_the_number_is_larger_than_any(void **state)
{
	static const struct expansion cases[] = {
		{"%{d2147483648}", "email.example.com"},
		{"%{d99999999999999999999999}", "email.example.com"},
		{"%{d99999999999999999999999r}", "com.example.email"},
		{"%{d4294967297}", "email.example.com"}, /* not 1 */
	};
	(void)state;
	check_expansions("192.0.2.3", cases, sizeof(cases) / sizeof(cases[0]));
}

static void escapes_for_upper_case_letters(void **state)
{
	struct spf_macro_values values = example("192.0.2.3");
	char room[128];
	struct text out;
	(void)state;

	values.local_part = BYTES("~a&b=c-d_e\x01\xff/");
	text_init(&out, room, sizeof(room));
	spf_macro_expand(BYTES("%{L}|%{L1r=}"), &values, &out);
	assert_string_equal(text_str(&out), "~a%26b%3Dc-d_e%01%FF%2F|~a%26b");
}

static void keeps_empty_parts(void **state)
{
	struct spf_macro_values values = example("192.0.2.3");
	char room[128];
	struct text out;
	(void)state;

	values.local_part = BYTES("-a--b-");
	text_init(&out, room, sizeof(room));
	spf_macro_expand(BYTES("%{l-}|%{lr-}|%{l2-}|%{l3r-}"), &values, &out);
	assert_string_equal(text_str(&out), ".a..b.|.b..a.|b.|.a.");
}

static void knows_valid_domain_specs(void **state)
{
	static const char *const good[] = {"example.com", "example.com.", "a.b-c",
		"_spf.example.com", "%{d}", "x%{d}", "foo:bar/baz.example.com", "%{ir}.x.org",
		"a%%.%-", "%{d2r.-+,/_=}", "!\"#$&'()*+.xn--p1ai", "%{D}.4a"};
	static const char *const bad[] = {"", "museum", "museum.", "abc.123", "a.-com", "a.com-",
		"example.com:8080", "%", "%a", "a%.com", "%{", "%{d", "%{x}.com", "%{c}.com",
		"%{r}.com", "%{t}.com", "%{d0}.com", "%{d2x}", "%(d).com", "%{d}com", "a b.com",
		"a.com..", "\x80.com", "a.c\x01m", ".", "%{d}.1", "%{d r}"};
	(void)state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(spf_macro_valid(bytes_str(good[i]), SPF_MACRO_DOMAIN));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(spf_macro_valid(bytes_str(bad[i]), SPF_MACRO_DOMAIN));
	assert_false(spf_macro_valid(BYTES("a\0.com"), SPF_MACRO_DOMAIN));
	assert_true(spf_macro_valid(BYTES(""), SPF_MACRO_STRING));
	assert_true(spf_macro_valid(BYTES("%{c}%{r}"), SPF_MACRO_STRING));
	assert_false(spf_macro_valid(BYTES("a b"), SPF_MACRO_STRING));
	assert_true(spf_macro_valid(BYTES("see %{c} there"), SPF_MACRO_EXPLAIN));
	assert_false(spf_macro_valid(BYTES("see\tthere"), SPF_MACRO_EXPLAIN));
}

static void tells_when_p_is_used(void **state)
{
	(void)state;
	assert_true(spf_macro_uses_p(BYTES("x.%{p}.y")));
	assert_true(spf_macro_uses_p(BYTES("%{P1r-}")));
	assert_false(spf_macro_uses_p(BYTES("%%{p}")));
	assert_false(spf_macro_uses_p(BYTES("%{d}p{p}")));
}

static void cuts_labels_from_the_left_of_long_names(void **state)
{
	struct spf_macro_values values = example("192.0.2.3");
	char domain[120], room[DNS_NAME_MAX + 2];
	struct text name;
	(void)state;

	memset(domain, 'x', sizeof(domain));
	for (size_t i = 9; i < sizeof(domain); i += 10)
		domain[i] = '.';
	values.domain = bytes_of(domain, sizeof(domain) - 1);
	text_init(&name, room, sizeof(room));
	assert_true(spf_macro_domain(BYTES("%{d}.%{d}.%{d}.example.org."), &values, &name));
	assert_true(name.len <= DNS_NAME_MAX && name.len > DNS_NAME_MAX - 10);
	assert_true(bytes_ends_nocase(text_bytes(&name), BYTES("x.example.org")));
	assert_true(bytes_starts_nocase(text_bytes(&name), BYTES("xxxxxxxxx.")));

	memset(domain, 'x', sizeof(domain));
	text_init(&name, room, sizeof(room));
	assert_false(spf_macro_domain(BYTES("%{d}%{d}%{d}"), &values, &name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands_as_the_rfc_shows),
		cmocka_unit_test(keeps_all_parts_when_the_number_is_larger_than_any),
		cmocka_unit_test(escapes_for_upper_case_letters),
		cmocka_unit_test(keeps_empty_parts),
		cmocka_unit_test(knows_valid_domain_specs),
		cmocka_unit_test(tells_when_p_is_used),
		cmocka_unit_test(cuts_labels_from_the_left_of_long_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
