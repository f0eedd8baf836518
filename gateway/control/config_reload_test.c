#include "gateway/control/config_keys.h"
#include "gateway/control/config_reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct config *load(const char *more)
{
	char path[] = "/tmp/postern-reload-XXXXXX";
	struct config_errors errors;
	struct config *config;
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	int error;

	fprintf(out,
		"hostname: mx.example\npostmaster: pm@a.example\ndomains: [a.example, b.example]\n"
		"%s",
		more);
	fclose(out);
	error = config_load(path, &config, &errors);
	unlink(path);
	if (error)
		fail_msg("%s", errors.error[0].text);
	return config;
}

#define LISTEN "listen: [{device: tap, addresses: [192.0.2.2/24]}]\n"
#define LMTP   "delivery: {backends: [{lmtp: \"unix:/a\"}]}\n"

static char named[512];

static void note(void *arg, const char *path)
{
	size_t len = strlen(named);

	(void)arg;
	snprintf(named + len, sizeof(named) - len, "%s ", path);
}

static const char *differences(const char *old_text, const char *new_text)
{
	struct config *old = load(old_text), *new = load(new_text);

	named[0] = '\0';
	config_reload_differences(old, new, note, NULL);
	config_free(old);
	config_free(new);
	return named;
}

static void what_only_looks_at_mail_is_live(void **state)
{
	(void)state;
	assert_true(config_reload_is_live("domains"));
	assert_true(config_reload_is_live("policy.dmarc.on_reject"));
	assert_false(config_reload_is_live("listen"));
	assert_false(config_reload_is_live("spool.path"));
	assert_string_equal(differences(LISTEN LMTP, LISTEN LMTP), "");
	assert_string_equal(
		differences(LISTEN LMTP, LISTEN LMTP "limits: {errors: 3}\nlog: {level: debug}\n"),
		"");
}

static void what_needs_a_restart_is_named(void **state)
{
	(void)state;
	assert_string_equal(
		differences(LISTEN LMTP, LISTEN LMTP "limits: {mails: 20}\ndns: {timeout: 1s}\n"),
		"dns.timeout limits.mails ");
	assert_string_equal(
		differences(LISTEN LMTP,
			"listen: [{device: tap, addresses: [192.0.2.3/24]}]\n"
			"delivery: {backends: [{lmtp: \"unix:/a\", connections: 7}]}\n"),
		"listen delivery.backends ");
	assert_string_equal(
		differences(LISTEN "delivery: {backends: [{lmtp: \"tcp:a:24\", tls: implicit}]}\n",
			LISTEN "delivery: {backends: [{lmtp: \"tcp:a:24\", tls: starttls}]}\n"),
		"delivery.backends ");
	assert_string_equal(
		differences(LISTEN LMTP, LISTEN LMTP "control: {user: nobody}\n"), "control.user ");
}

static void every_live_key_is_a_key(void **state)
{
	unsigned live = 0;

	(void)state;
	for (unsigned i = 0; i < config_n_keys; i++)
		live += config_reload_is_live(config_keys[i].path);
	assert_int_equal(live, config_reload_n_live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_looks_at_mail_is_live),
		cmocka_unit_test(what_needs_a_restart_is_named),
		cmocka_unit_test(every_live_key_is_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
