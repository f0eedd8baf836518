#include "auth/dkim/dkim_key.h"

#include "auth/dkim/dkim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* RFC 6376 Appendix C, and the same key as a bare RSAPublicKey. */
#define RSA_SPKI                                                                                   \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"         \
	"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0"         \
	"fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
#define RSA_BARE                                                                                   \
	"MIGJAoGBAPAhE/9QLdIGwSYapn1klbf8OQygZ4udCDV9afv/Ni0jE3ZKcUKPE4Iob2/dviNh9xM2HmKN"         \
	"KyrrfW4Ei0truh36/9G10LZTMnWVZP3jupH5FxpzaBu2j80yonR/N9WMfg64qGK11j21/qZzAaNo0FxZ"         \
	"OggyY9I8N1A81RhyRxDZAgMBAAE="
#define ED25519 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

struct key_case {
	const char *record;
	enum dkim_key_status status;
	unsigned bits;
	const char *flags; /* letters: h(ash allowed) e(mail) y s */
};

static const struct key_case key_cases[] = {
	{"v=DKIM1; p=" RSA_SPKI, DKIM_KEY_OK, 1024, "he"},
	{"p=" RSA_SPKI, DKIM_KEY_OK, 1024, "he"},
	{"v=DKIM1; k=rsa; p=" RSA_BARE, DKIM_KEY_OK, 1024, "he"},
	{"v=DKIM1; k=ed25519; p=" ED25519, DKIM_KEY_OK, 256, "he"},
	{"v=DKIM1;p= 11qYAYKxCrfVS /7TyWQHOg7 hcvPapiMlrwIaaPcHURo=;k=ed25519", DKIM_KEY_OK, 256,
		"he"},
	{"v=DKIM1; h=sha1; p=" RSA_SPKI, DKIM_KEY_OK, 1024, "e"},
	{"v=DKIM1; h= sha1 : sha256; p=" RSA_SPKI, DKIM_KEY_OK, 1024, "he"},
	{"v=DKIM1; s=other; p=" RSA_SPKI, DKIM_KEY_OK, 1024, "h"},
	{"v=DKIM1; s=email:x; p=" RSA_SPKI, DKIM_KEY_OK, 1024, "he"},
	{"v=DKIM1; s=*; t=y:s; p=" RSA_SPKI, DKIM_KEY_OK, 1024, "heys"},
	{"v=DKIM1; t=s; n=a note; z=unknown; p=" RSA_SPKI, DKIM_KEY_OK, 1024, "hes"},
	{"v=DKIM1; p=", DKIM_KEY_REVOKED, 0, NULL},
	{"p= ; v=DKIM2", DKIM_KEY_NOT_DKIM, 0, NULL},
	{"p=" RSA_SPKI "; v=DKIM1", DKIM_KEY_NOT_DKIM, 0, NULL},
	{"v=DKIM2; p=" RSA_SPKI, DKIM_KEY_NOT_DKIM, 0, NULL},
	{"v=dkim1; p=" RSA_SPKI, DKIM_KEY_NOT_DKIM, 0, NULL},
	{"v=spf1 -all", DKIM_KEY_NOT_DKIM, 0, NULL},
	{"", DKIM_KEY_NOT_DKIM, 0, NULL},
	{"v=DKIM1", DKIM_KEY_SYNTAX, 0, NULL},
	{"v=DKIM1; p=" RSA_SPKI "; p=", DKIM_KEY_SYNTAX, 0, NULL},
	{"v=DKIM1; k=dsa; p=" RSA_SPKI, DKIM_KEY_ALGORITHM, 0, NULL},
	{"v=DKIM1; p=" ED25519, DKIM_KEY_MALFORMED, 0, NULL},
	{"v=DKIM1; k=ed25519; p=" RSA_SPKI, DKIM_KEY_MALFORMED, 0, NULL},
	{"v=DKIM1; p=!" RSA_SPKI, DKIM_KEY_MALFORMED, 0, NULL},
	{"v=DKIM1; p=AAAA", DKIM_KEY_MALFORMED, 0, NULL},
	{"v=DKIM1; p=" RSA_SPKI "AAAA", DKIM_KEY_MALFORMED, 0, NULL},
};

static bool has(const struct key_case *c, char flag)
{
	return strchr(c->flags, flag) != NULL;
}

static void reads_key_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(key_cases) / sizeof(key_cases[0]); i++) {
		const struct key_case *c = &key_cases[i];
		struct dkim_key key;

		dkim_key_parse(bytes_str(c->record), &key);
		if (key.status != c->status)
			fail_msg("%s: status %d", c->record, key.status);
		if (key.status == DKIM_KEY_OK) {
			assert_int_equal(pubkey_bits(key.pubkey), c->bits);
			assert_int_equal(key.allows_sha256, has(c, 'h'));
			assert_int_equal(key.allows_email, has(c, 'e'));
			assert_int_equal(key.testing, has(c, 'y'));
			assert_int_equal(key.strict, has(c, 's'));
		} else {
			assert_null(key.pubkey);
			assert_non_null(dkim_key_token(key.status));
		}
		dkim_key_fini(&key);
	}
}

static void keeps_keys_and_drops_other_records_at_the_name(void **state)
{
	struct dns_record records[] = {
		{.text = BYTES("v=spf1 -all")},
		{.text = BYTES("v=DKIM1; p=")},
		{.text = BYTES("some words")},
		{.text = BYTES("v=DKIM1; p=" RSA_SPKI)},
		{.text = BYTES("v=DKIM1; p=")},
		{.text = BYTES("v=DKIM1; p=")},
		{.text = BYTES("v=DKIM1; p=")},
	};
	struct dns_answer answer = {.outcome = DNS_OK, .n = 7, .records = records};
	(void)state;
	const struct dkim_keys *keys = dkim_key_parser.parse(&answer);
	assert_int_equal(keys->n, DKIM_KEYS_MAX);
	assert_int_equal(keys->key[0].status, DKIM_KEY_REVOKED);
	assert_int_equal(keys->key[1].status, DKIM_KEY_OK);
	dkim_key_parser.free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_key_records),
		cmocka_unit_test(keeps_keys_and_drops_other_records_at_the_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
