/* Every message of the outside suite gets the outcomes that the suite expects, however it is
 * portioned. */
#include "auth/dkim/dkim_harness.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *suite; /* a folder */

static struct bytes load(const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", suite, name);
	return dkim_harness_load(path);
}

static void check_message(struct dkim_harness *h, struct bytes name, struct bytes words)
{
	char file[NAME_MAX];
	unsigned n = 0;

	snprintf(file, sizeof(file), "%.*s", BYTES_FMT(name));
	struct bytes message = load(file);
	assert_non_null(message.data);
	dkim_harness_run(h, message);
	for (struct bytes rest = words, word; bytes_split(&rest, ',', &word); n++) {
		const struct dkim_result *result = dkim_verifier_result(h->verifier, n);
		word = bytes_trim_fws(word);
		word = bytes_slice(word, 1, word.len - 2); /* the quotes */
		assert_non_null(result);
		bool pass = bytes_eq(word, BYTES("pass"));
		if (pass != (result->result == AUTH_PASS))
			fail_msg("%s, signature %u: expected %.*s, got %s (%s)", file, n,
				BYTES_FMT(word), auth_result_word(result->result),
				result->reason ? result->reason : "");
	}
	assert_int_equal(n, dkim_verifier_count(h->verifier));
	free((void *)(uintptr_t)message.data);
}

/* expected.json: within "expect", each "file": ["word", ...]. */
static void check_all(struct dkim_harness *h)
{
	struct bytes json = load("expected.json");
	struct cursor c = cursor_of(json);
	unsigned n = 0;

	size_t from = bytes_find_bytes(json, BYTES("\"expect\":"));
	assert_true(from != BYTES_NPOS);
	c.at += from + 9;
	for (;;) {
		cursor_take_to(&c, '"');
		if (!cursor_accept(&c, '"'))
			break;
		struct bytes name = cursor_take_to(&c, '"');
		cursor_take_to(&c, '[');
		cursor_next(&c);
		struct bytes words = cursor_take_to(&c, ']');
		check_message(h, name, words);
		n++;
	}
	assert_true(n > 20);
	free((void *)(uintptr_t)json.data);
}

static void suite_gives_the_expected_outcomes(void **state)
{
	static const size_t portions[] = {0, 1, 7, 1460};
	struct bytes text = (suite = *state) ? load("zone.txt") : (struct bytes){NULL, 0};
	struct dns_zone *zone;
	struct dkim_harness h;
	char why[256];
	struct text reason;

	if (!text.data)
		skip();
	text_init(&reason, why, sizeof(why));
	if (dns_zone_parse(text, "zone.txt", &zone, &reason) < 0)
		fail_msg("%s", text_str(&reason));
	dkim_harness_init(&h, zone);
	for (size_t i = 0; i < sizeof(portions) / sizeof(portions[0]); i++) {
		h.portion = portions[i];
		h.keys_last = i & 1;
		check_all(&h);
	}
	dkim_harness_fini(&h);
	dns_zone_free(zone);
	free((void *)(uintptr_t)text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(
			suite_gives_the_expected_outcomes, (void *)(uintptr_t)getenv("DKIM_SUITE")),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
