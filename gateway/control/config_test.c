#include "gateway/control/config.h"
#include "gateway/control/config_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define BARE                                                                                       \
	"hostname: mx.example.org\n"                                                               \
	"postmaster: pm@example.org\n"                                                             \
	"listen:\n"                                                                                \
	"  - device: tap\n"                                                                        \
	"    addresses: [192.0.2.2/24]\n"                                                          \
	"domains: [example.org]\n"

#define MINIMAL BARE "delivery:\n  backends: [{lmtp: \"unix:/run/lmtp\"}]\n"

static char file[64];

static int load(const char *text, struct config **config, struct config_errors *errors)
{
	FILE *out;
	int fd, error;

	strcpy(file, "/tmp/postern-config-XXXXXX");
	fd = mkstemp(file);
	assert_true(fd >= 0);
	out = fdopen(fd, "w");
	fputs(text, out);
	fclose(out);
	error = config_load(file, config, errors);
	unlink(file);
	return error;
}

static void absent_keys_have_their_defaults(void **state)
{
	struct config_errors errors;
	struct config *config;

	(void)state;
	assert_int_equal(load(MINIMAL, &config, &errors), 0);
	assert_string_equal(config->authserv_id, "mx.example.org");
	assert_int_equal(config->listen[0].ports[0], 25);
	assert_int_equal(config->limits.message_bytes, 25 << 20);
	assert_int_equal(config->limits.idle_timeout_s, 300);
	assert_int_equal(config->policy.dmarc_on_reject, CONFIG_ON_REJECT_QUARANTINE);
	assert_true(config->dns.recursive);
	assert_null(config->recipients.file);
	config_free(config);
}

static void keys_take_units_and_lists(void **state)
{
	struct config_errors errors;
	struct config *config;
	struct ip_addr addr;

	(void)state;
	assert_int_equal(
		load(MINIMAL "limits: {message_size: 1M, idle_timeout: 90s}\n"
			     "dns: {timeout: 200ms, zone: z.txt}\n"
			     "networks: {old: [10.0.0.0/8, \"2001:db8::/32\"]}\n"
			     "policy: {dmarc: {on_reject: reject}, bare_lf_keep_networks: old,\n"
			     "  trusted_sealers: [a.example, b.example], forwarders: old}\n",
			&config, &errors),
		0);
	assert_int_equal(config->limits.message_bytes, 1 << 20);
	assert_int_equal(config->limits.idle_timeout_s, 90);
	assert_int_equal(config->dns.timeout_ms, 200);
	assert_string_equal(config->dns.zone, "/tmp/z.txt");
	assert_int_equal(config->policy.dmarc_on_reject, CONFIG_ON_REJECT_REJECT);
	assert_int_equal(config->policy.n_sealers, 2);
	assert_string_equal(config->policy.sealers[1], "b.example");
	assert_string_equal(config->policy.forwarders, "old");
	assert_int_equal(ip_addr_parse(BYTES("10.1.2.3"), &addr), 0);
	assert_true(config_in_network(config, "old", &addr));
	assert_int_equal(ip_addr_parse(BYTES("11.1.2.3"), &addr), 0);
	assert_false(config_in_network(config, "old", &addr));
	config_free(config);
}

/* What is wrong in a line added to the minimal file, whose own lines are 1 to 8. */
static const struct {
	const char *added;
	unsigned line, column;
	const char *text;
} mistakes[] = {
	{"limits: {errors: 25x}\n", 9, 18, "is not a whole number"},
	{"limits: {errors: 010}\n", 9, 18, "is not a whole number"},
	{"limits: {errors: -1}\n", 9, 18, "is not a whole number"},
	{"limits: {errors: 0}\n", 9, 18, "must lie between 1 and 1000"},
	{"limits: {message_size: 5 M}\n", 9, 24, "is not a size"},
	{"limits: {message_size: 99999999T}\n", 9, 24, "must lie between 64K and 60M"},
	{"limits: {idle_timeout: 5}\n", 9, 24, "is not a time"},
	{"limits:\n  errrors: 5\n", 10, 3, "is unknown in limits; known here: message_size"},
	{"foo: 1\n", 9, 1, "is unknown; known here: hostname, authserv_id"},
	{"hostname: x\n", 9, 1, "second time"},
	{"dns: {recursive: yes}\n", 9, 18, "must be true or false"},
	{"policy: {bare_lf: maybe}\n", 9, 19, "must be one of: refuse, keep"},
	{"policy: {bare_lf_keep_networks: nobody}\n", 0, 0, "no group nobody in networks"},
	{"policy: {forwarders: relay.example}\n", 0, 0, "a bare name is not enough"},
	{"policy: {forwarders: all}\nnetworks: {all: [10.0.0.0/8, 0.0.0.0/0]}\n", 0, 0,
		"holds every address"},
	{"policy: {forwarders: all}\nnetworks: {all: [\"::/0\"]}\n", 0, 0, "holds every address"},
	{"policy: {trusted_sealers: [a.example, com]}\n", 9, 39, "is a top-level domain"},
	{"policy: {trusted_sealers: [\"*.example\"]}\n", 9, 28, "is no domain name"},
	{"policy: {trusted_sealers: a.example}\n", 9, 27, "must be a list of domain names"},
	{"auth: {seal: {key: k.pem, domain: a.example}}\n", 0, 0, "go together"},
	{"policy: 5\n", 9, 9, "must be a section"},
	{"networks: {a: [10.0.0.0/33]}\n", 9, 16, "is no network"},
	{"networks: [a]\n", 9, 11, "must be a mapping"},
	{"networks: {[a]: [10.0.0.0/8]}\n", 9, 12, "must be the name of a group"},
	{"authserv_id: [a]\n", 9, 14, "must be one value"},
	{"dns: {forward: [1.2.3.4@99999]}\n", 9, 17, "is no resolver"},
	{"recipients: {file: \"a b\"}\n", 9, 20, "printable text without blanks"},
	{"relay: {url: \"smtp://r\", user: u, password_file: p}\n", 0, 0, "set relay.tls: require"},
	{"relay: {url: \"smtp://r\", user: u, tls: require}\n", 0, 0, "password_file is missing"},
	{"relay: {user: u, password_file: p, tls: require}\n", 0, 0, "no relay.url"},
	{"authserv_id: [\n", 10, 1, "not YAML"},
};

static void every_mistake_is_named_with_its_place(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct config_errors errors;
		struct config *config;
		char text[2048];

		snprintf(text, sizeof(text), "%s%s", MINIMAL, mistakes[i].added);
		assert_int_not_equal(load(text, &config, &errors), 0);
		assert_int_equal(errors.n, 1);
		if (!strstr(errors.error[0].text, mistakes[i].text) ||
			errors.error[0].line != mistakes[i].line ||
			errors.error[0].column != mistakes[i].column)
			fail_msg("%s: %u:%u: %s", mistakes[i].added, errors.error[0].line,
				errors.error[0].column, errors.error[0].text);
	}
}

#define PIN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void a_backend_with_tls_is_checked_by_its_host_name_unless_told_otherwise(void **state)
{
	struct config_errors errors;
	struct config_backend *b;
	struct config *config;

	(void)state;
	assert_int_equal(
		load(BARE "delivery:\n  backends:\n"
			  "    - {lmtp: \"tcp:a.example:24\", tls: implicit}\n"
			  "    - {lmtp: \"tcp:[2001:db8::1]:24\", tls: starttls, tls_ca_file: ca}\n"
			  "    - {lmtp: \"tcp:192.0.2.1:24\", tls: implicit, tls_name: b.example,"
			  " tls_pin: " PIN "}\n"
			  "    - {lmtp: \"tcp:a.example:24\"}\n",
			&config, &errors),
		0);
	b = config->delivery.backends;
	assert_int_equal(b[0].tls, CONFIG_BACKEND_TLS_IMPLICIT);
	assert_string_equal(b[0].tls_name, "a.example");
	assert_null(b[0].tls_ca_file);
	assert_int_equal(b[1].tls, CONFIG_BACKEND_TLS_STARTTLS);
	assert_string_equal(b[1].tls_name, "2001:db8::1");
	assert_string_equal(b[1].tls_ca_file, "/tmp/ca");
	assert_string_equal(b[2].tls_name, "b.example");
	assert_string_equal(b[2].tls_pin, PIN);
	assert_int_equal(b[3].tls, CONFIG_BACKEND_TLS_OFF);
	assert_null(b[3].tls_name);
	config_free(config);
}

static void what_is_wrong_with_a_backend_is_named_with_its_place(void **state)
{
	static const struct {
		const char *backend;
		unsigned column;
		const char *text;
	} cases[] = {
		{"{connections: 2}", 14, "has no lmtp"},
		{"unix:/a", 14, "must be a mapping"},
		{"{lmtp: \"tls:a:1\"}", 21, "must be unix:/PATH or tcp:HOST:PORT"},
		{"{lmtp: \"unix:/a\", tls: implicit}", 14, "is for tcp:HOST:PORT alone"},
		{"{lmtp: \"tcp:a:1\", tls_name: b}", 14, "has no tls"},
		{"{lmtp: \"tcp:a:1\", tls: may}", 37, "one of: off, starttls, implicit"},
		{"{lmtp: \"tcp:a:1\", tls: implicit, tls_pin: 12}", 56, "is no pin"},
		{"{lmtp: \"tcp:a:1\", tls_key: k}", 32, "tls_name and tls_pin are known"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_errors errors;
		struct config *config;
		char text[2048];

		snprintf(
			text, sizeof(text), BARE "delivery:\n  backends: [%s]\n", cases[i].backend);
		assert_int_not_equal(load(text, &config, &errors), 0);
		assert_int_equal(errors.n, 1);
		if (!strstr(errors.error[0].text, cases[i].text) || errors.error[0].line != 8 ||
			errors.error[0].column != cases[i].column)
			fail_msg("%s: %u:%u: %s", cases[i].backend, errors.error[0].line,
				errors.error[0].column, errors.error[0].text);
	}
}

static void all_mistakes_are_told_in_one_go(void **state)
{
	struct config_errors errors;
	struct config *config;

	(void)state;
	assert_int_not_equal(load("limits: {errors: x, recipients: y}\nlisten: [{device: foo}]\n",
				     &config, &errors),
		0);
	/* two limits, device, addresses, and hostname, postmaster, domains, backends missing */
	assert_int_equal(errors.n, 8);
}

static void an_empty_file_lacks_what_is_required(void **state)
{
	struct config_errors errors;
	struct config *config;

	(void)state;
	assert_int_not_equal(load("", &config, &errors), 0);
	assert_int_equal(errors.n, 5);
	assert_non_null(strstr(errors.error[0].text, "hostname is missing"));
}

static void a_missing_file_is_an_error_too(void **state)
{
	struct config_errors errors;
	struct config *config;

	(void)state;
	assert_int_not_equal(config_load("/nowhere/postern.yaml", &config, &errors), 0);
	assert_int_equal(errors.n, 1);
}

static char *printed(void (*print)(FILE *out))
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out);
	fclose(out);
	return text;
}

static void the_sample_is_a_configuration_with_every_default(void **state)
{
	char *sample = printed(config_print_sample);
	struct config_errors errors;
	struct config *config;

	(void)state;
	if (load(sample, &config, &errors) != 0)
		fail_msg("%u:%u: %s\n%s", errors.error[0].line, errors.error[0].column,
			errors.error[0].text, sample);
	assert_int_equal(config->limits.errors, 20);
	config_free(config);
	free(sample);
}

static struct config *printing;

static void print_it(FILE *out)
{
	config_print(printing, false, out);
}

static void what_config_prints_reads_back_the_same(void **state)
{
	struct config_errors errors;
	char *once, *twice;

	(void)state;
	assert_int_equal(load(MINIMAL "limits: {message_size: 1M, idle_timeout: 90s}\n"
				      "networks: {a: [10.0.0.0/8]}\n"
				      "policy: {dmarc: {on_reject: reject}}\n"
				      "spool: {path: /var/spool/x}\n",
				 &printing, &errors),
		0);
	once = printed(print_it);
	config_free(printing);
	if (load(once, &printing, &errors) != 0)
		fail_msg("%u:%u: %s\n%s", errors.error[0].line, errors.error[0].column,
			errors.error[0].text, once);
	twice = printed(print_it);
	assert_string_equal(once, twice);
	config_free(printing);
	free(once);
	free(twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_keys_have_their_defaults),
		cmocka_unit_test(keys_take_units_and_lists),
		cmocka_unit_test(every_mistake_is_named_with_its_place),
		cmocka_unit_test(
			a_backend_with_tls_is_checked_by_its_host_name_unless_told_otherwise),
		cmocka_unit_test(what_is_wrong_with_a_backend_is_named_with_its_place),
		cmocka_unit_test(all_mistakes_are_told_in_one_go),
		cmocka_unit_test(an_empty_file_lacks_what_is_required),
		cmocka_unit_test(a_missing_file_is_an_error_too),
		cmocka_unit_test(the_sample_is_a_configuration_with_every_default),
		cmocka_unit_test(what_config_prints_reads_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
