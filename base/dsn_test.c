#include "base/dsn.h"

#include "base/testing.h"

static void notify_is_never_alone_or_some_of_the_others(void **state)
{
	static const struct {
		const char *value;
		int bits; /* -1: refused */
	} cases[] = {
		{"NEVER", DSN_NEVER},
		{"never", DSN_NEVER},
		{"SUCCESS", DSN_SUCCESS},
		{"success,Failure,DELAY", DSN_SUCCESS | DSN_FAILURE | DSN_DELAY},
		{"NEVER,DELAY", -1},
		{"DELAY,NEVER", -1},
		{"DELAY,DELAY", -1},
		{"", -1},
		{",", -1},
		{"DELAY,", -1},
		{",DELAY", -1},
		{"DELAYED", -1},
		{"FAILURE, DELAY", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t notify = 0;
		bool good = dsn_notify_parse(bytes_str(cases[i].value), &notify);

		assert_int_equal(good ? notify : -1, cases[i].bits);
	}
}

static void notify_is_written_as_it_is_read(void **state)
{
	(void)state;
	for (uint8_t bits = 1; bits < 16; bits++) {
		char buf[64];
		struct text t;
		uint8_t back = 0;

		text_init(&t, buf, sizeof(buf));
		dsn_notify_put(&t, bits);
		assert_int_equal(dsn_notify_parse(text_bytes(&t), &back),
			bits == DSN_NEVER || !(bits & DSN_NEVER));
		assert_true(back == bits || bits & DSN_NEVER);
	}
}

static void ret_is_one_of_two_words(void **state)
{
	uint8_t ret;

	(void)state;
	assert_true(dsn_ret_parse(BYTES("full"), &ret));
	assert_string_equal(dsn_ret_word(ret), "FULL");
	assert_true(dsn_ret_parse(BYTES("HDRS"), &ret));
	assert_string_equal(dsn_ret_word(ret), "HDRS");
	assert_false(dsn_ret_parse(BYTES(""), &ret));
	assert_false(dsn_ret_parse(BYTES("HDR"), &ret));
}

static void xtext_is_checked_and_decoded(void **state)
{
	static const struct {
		const char *value, *decoded; /* NULL: refused */
	} cases[] = {
		{"", ""},
		{"QQ314159", "QQ314159"},
		{"a+2Bb+3Dc", "a+b=c"},
		{"+20", " "},
		{"+0D+0Ax", "??x"}, /* what it stands for makes no line of its own */
		{"+E4", "?"},
		{"a+2b", NULL}, /* digits in lower case */
		{"a+", NULL},
		{"a+2", NULL},
		{"a=b", NULL},
		{"a b", NULL},
		{"\x80", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];
		struct text t;

		assert_int_equal(
			dsn_xtext_valid(bytes_str(cases[i].value)), cases[i].decoded != NULL);
		if (!cases[i].decoded)
			continue;
		text_init(&t, buf, sizeof(buf));
		dsn_xtext_decode(&t, bytes_str(cases[i].value));
		assert_string_equal(text_str(&t), cases[i].decoded);
	}
}

static void envid_and_orcpt_have_a_form_and_a_bound(void **state)
{
	char longest[DSN_ORCPT_MAX + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_true(dsn_envid_valid(bytes_of(longest, DSN_ENVID_MAX)));
	assert_false(dsn_envid_valid(bytes_of(longest, DSN_ENVID_MAX + 1)));
	assert_false(dsn_envid_valid(BYTES("")));
	assert_true(dsn_orcpt_valid(BYTES("rfc822;bob+2Btag@example.org")));
	assert_true(dsn_orcpt_valid(BYTES("utf-8;bob@example.org")));
	assert_false(dsn_orcpt_valid(BYTES("rfc822;")));
	assert_false(dsn_orcpt_valid(BYTES(";bob")));
	assert_false(dsn_orcpt_valid(BYTES("bob@example.org")));
	assert_false(dsn_orcpt_valid(BYTES("rfc822;a=b")));
	memcpy(longest, "rfc822;", 7);
	assert_true(dsn_orcpt_valid(bytes_of(longest, DSN_ORCPT_MAX)));
	assert_false(dsn_orcpt_valid(bytes_of(longest, DSN_ORCPT_MAX + 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notify_is_never_alone_or_some_of_the_others),
		cmocka_unit_test(notify_is_written_as_it_is_read),
		cmocka_unit_test(ret_is_one_of_two_words),
		cmocka_unit_test(xtext_is_checked_and_decoded),
		cmocka_unit_test(envid_and_orcpt_have_a_form_and_a_bound),
	};

	return cmocka_run_group_tests_name("base dsn", tests, NULL, NULL);
}
