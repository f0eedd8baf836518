#include "auth/verdict_authres.h"

#include "auth/message/authres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static char room[VERDICT_AUTHRES_ROOM];
static struct auth_verdict verdict;

static struct verdict_envelope envelope_of(struct bytes helo, struct bytes mail_from)
{
	return (struct verdict_envelope){
		.authserv_id = BYTES("gate.example.net"),
		.client = ip_addr_v4(0xc0000201),
		.helo = helo,
		.mail_from = mail_from,
	};
}

static struct bytes write_field(const struct verdict_envelope *envelope)
{
	struct text out;

	text_init(&out, room, sizeof(room));
	verdict_authres_write(&verdict, envelope, &out);
	assert_false(out.overflow);
	return text_bytes(&out);
}

static unsigned count(struct bytes field, struct bytes what)
{
	unsigned n = 0;

	for (size_t at; (at = bytes_find_bytes(field, what)) != BYTES_NPOS; n++)
		field = bytes_from(field, at + what.len);
	return n;
}

/* Every line but the first is folded, none is empty, nothing but visible octets, blanks and line
 * ends. */
static void assert_well_formed(struct bytes field)
{
	assert_true(bytes_starts(field, BYTES("Authentication-Results: gate.example.net;")));
	assert_true(bytes_ends_nocase(field, BYTES("\r\n")));
	for (size_t i = 0; i < field.len; i++) {
		int c = field.data[i];
		if (c == '\r')
			assert_true(i + 1 < field.len && field.data[i + 1] == '\n');
		else if (c == '\n')
			assert_true(i + 1 == field.len || ascii_is_wsp(field.data[i + 1]));
		else
			assert_true(ascii_is_vchar(c) || ascii_is_wsp(c) || c >= 0x80);
	}
}

static void tells_every_method_with_what_it_was_tried_on(void **state)
{
	struct verdict_envelope envelope =
		envelope_of(BYTES("mx.example.org"), BYTES("a@example.org"));
	(void)state;

	memset(&verdict, 0, sizeof(verdict));
	verdict.spf = (struct auth_spf){.result = AUTH_SOFTFAIL, .scope = SPF_MFROM};
	verdict.helo = (struct auth_spf){.result = AUTH_PERMERROR,
		.scope = SPF_HELO,
		.reason = BYTES("several SPF records")};
	verdict.iprev.result = AUTH_PASS;
	verdict.iprev.name = BYTES("mx.example.org");
	verdict.n_dkim = verdict.n_dkim_fields = 1;
	verdict.dkim[0] = (struct dkim_result){.result = AUTH_PASS,
		.domain = BYTES("example.org"),
		.selector = BYTES("s1"),
		.algorithm = BYTES("rsa-sha256"),
		.b = BYTES("abcd/+12")};
	verdict.dmarc = (struct auth_dmarc){.result = AUTH_PASS,
		.has_from_domain = true,
		.from_domain = BYTES("example.org"),
		.policy = DMARC_POLICY_REJECT};
	struct bytes field = write_field(&envelope);
	static const char *const expected[] = {"spf=softfail smtp.mailfrom=a@example.org;",
		"spf=permerror reason=\"several SPF records\"", "smtp.helo=mx.example.org;",
		"iprev=pass policy.iprev=192.0.2.1 (mx.example.org);",
		"dkim=pass header.d=example.org", "header.s=s1", "header.a=rsa-sha256",
		"header.b=\"abcd/+12\"", "dmarc=pass (p=reject)", "header.from=example.org"};
	assert_well_formed(field);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		if (bytes_find_bytes(field, bytes_str(expected[i])) == BYTES_NPOS)
			fail_msg("%s is not in %.*s", expected[i], BYTES_FMT(field));
	}
	assert_int_equal(bytes_find_bytes(field, BYTES("\tarc=")), BYTES_NPOS);
}

static void no_input_breaks_out_of_its_place(void **state)
{
	const struct bytes hostile[] = {
		BYTES("a\"; dmarc=pass header.from=bank.com; x=\"@x.org"),
		BYTES("a) dmarc=pass (\r\nX: y\r\n\r\n@x.org"),
		BYTES("a\0;dmarc=pass\\\"\n@x.org"),
		BYTES("; dmarc=pass"),
	};
	(void)state;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct verdict_envelope envelope = envelope_of(hostile[i], hostile[i]);
		memset(&verdict, 0, sizeof(verdict));
		verdict.spf.reason = verdict.helo.reason = hostile[i];
		verdict.spf.result = verdict.helo.result = AUTH_TEMPERROR;
		verdict.iprev.name = hostile[i];
		verdict.n_dkim = verdict.n_dkim_fields = 1;
		verdict.dkim[0] = (struct dkim_result){.result = AUTH_FAIL,
			.domain = hostile[i],
			.selector = hostile[i],
			.algorithm = hostile[i],
			.b = hostile[i]};
		verdict.dmarc = (struct auth_dmarc){.result = AUTH_FAIL, .from_domain = hostile[i]};
		struct bytes field = write_field(&envelope);
		assert_well_formed(field);
		/* outside quotes and comments nothing says dmarc=pass */
		bool quoted = false, escaped = false;
		unsigned depth = 0;
		for (size_t at = 0; at < field.len; at++) {
			char c = (char)field.data[at];
			if (escaped)
				escaped = false;
			else if (c == '\\' && (quoted || depth > 0))
				escaped = true;
			else if (c == '"' && depth == 0)
				quoted = !quoted;
			else if (c == '(' && !quoted)
				depth++;
			else if (c == ')' && !quoted)
				depth--;
			else if (!quoted && depth == 0)
				assert_false(
					bytes_starts(bytes_from(field, at), BYTES("dmarc=pass")));
		}
		assert_true(!quoted && depth == 0);
	}
}

static void stays_whole_whatever_the_size_of_its_values(void **state)
{
	static uint8_t long_value[5000];
	struct verdict_envelope envelope =
		envelope_of(bytes_of(long_value, 320), bytes_of(long_value, 320));
	(void)state;

	memset(&verdict, 0, sizeof(verdict));
	memset(long_value, '"', sizeof(long_value));
	for (size_t len = 320; len <= 5000; len += 4680) {
		struct bytes value = bytes_of(long_value, len);
		verdict.spf = verdict.helo =
			(struct auth_spf){.result = AUTH_PERMERROR, .reason = value};
		verdict.iprev.name = value;
		verdict.n_dkim = verdict.n_dkim_fields = AUTH_MAX_SIGNATURES;
		for (unsigned i = 0; i < AUTH_MAX_SIGNATURES; i++)
			verdict.dkim[i] = (struct dkim_result){.result = AUTH_FAIL,
				.domain = value,
				.selector = value,
				.algorithm = value,
				.b = value,
				.reason = "body_hash_mismatch"};
		verdict.dmarc.from_domain = value;
		verdict.arc = (struct auth_arc){
			.result = AUTH_FAIL, .chain_length = 1, .sealer = value, .reason = "x"};
		struct bytes field = write_field(&envelope);
		assert_well_formed(field);
		assert_int_equal(count(field, BYTES("\tdmarc=")), 1);
	}
}

static void tells_of_ten_signatures_those_that_pass_first(void **state)
{
	struct verdict_envelope envelope = envelope_of(BYTES("x.org"), BYTES(""));
	(void)state;

	memset(&verdict, 0, sizeof(verdict));
	verdict.spf.scope = SPF_HELO;
	verdict.n_dkim = verdict.n_dkim_fields = AUTH_MAX_SIGNATURES;
	for (unsigned i = 0; i < AUTH_MAX_SIGNATURES; i++)
		verdict.dkim[i] =
			(struct dkim_result){.result = AUTH_FAIL, .domain = BYTES("x.org")};
	verdict.dkim[AUTH_MAX_SIGNATURES - 1].result = AUTH_PASS;
	struct bytes field = write_field(&envelope);
	assert_well_formed(field);
	assert_int_equal(count(field, BYTES("dkim=")), VERDICT_AUTHRES_MAX_DKIM);
	assert_true(bytes_find_bytes(field, BYTES("dkim=pass")) <
		    bytes_find_bytes(field, BYTES("dkim=fail")));
	/* the null sender has no MAIL FROM identity */
	assert_int_equal(count(field, BYTES("smtp.mailfrom")), 0);
	assert_int_equal(count(field, BYTES("spf=")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_every_method_with_what_it_was_tried_on),
		cmocka_unit_test(no_input_breaks_out_of_its_place),
		cmocka_unit_test(stays_whole_whatever_the_size_of_its_values),
		cmocka_unit_test(tells_of_ten_signatures_those_that_pass_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
