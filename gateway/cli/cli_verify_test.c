#include "base/bytes.h"
#include "gateway/cli/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* The subcommand as a process: its exit code and what it wrote. */
struct run {
	int code;
	char out[65536], err[4096];
};

#define MAX_ARGS 24

static int file_with(const char *content, size_t len)
{
	int fd = memfd_create("verify", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void read_back(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	assert_true(n >= 0);
	to[n] = '\0';
	close(fd);
}

static void run_args(struct run *run, struct bytes input, char **argv)
{
	int in = file_with((const char *)input.data, input.len), out = file_with("", 0);
	int err = file_with("", 0), argc = 0, status;

	while (argv[argc])
		argc++;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(in, 0);
		dup2(out, 1);
		dup2(err, 2);
		int code = cli_verify.run(argc, argv);
		fflush(NULL);
		_exit(code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(in);
	assert_true(WIFEXITED(status));
	run->code = WEXITSTATUS(status);
	read_back(out, run->out, sizeof(run->out));
	read_back(err, run->err, sizeof(run->err));
}

/* Arguments parted by blanks; '' is an empty one, ZONE a zone file. */
static char zone_path[] = "/tmp/postern-verify-test-XXXXXX";

static void run_line(struct run *run, struct bytes input, const char *line)
{
	char words[512], *argv[MAX_ARGS + 1] = {NULL}, *rest = words;
	int argc = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL && argc < MAX_ARGS;) {
		if (*word == '\0')
			continue;
		argv[argc++] = strcmp(word, "''") == 0     ? word + 2
			       : strcmp(word, "ZONE") == 0 ? zone_path
							   : word;
	}
	run_args(run, input, argv);
}

static int make_zone(void **state)
{
	static const char zone[] =
		"example.com. 60 IN TXT \"v=spf1 ip4:192.0.2.1 exp=e.org -all\"\n"
		"e.org. 60 IN TXT \"not %{i} at %{t}\"\n"
		"_dmarc.example.com. 60 IN TXT \"v=DMARC1; p=reject\"\n";
	int fd = mkstemp(zone_path);
	(void)state;

	if (fd < 0 || write(fd, zone, strlen(zone)) != (ssize_t)strlen(zone))
		return -1;
	return close(fd);
}

static int remove_zone(void **state)
{
	(void)state;
	return unlink(zone_path);
}

#define GOOD BYTES("From: a@example.com\r\n\r\nHello\r\n")
#define ENVELOPE                                                                                   \
	"verify --zone ZONE --authserv-id gate.example.net --now 1700000000 --ip 192.0.2.1 "       \
	"--helo mx.example.com --mail-from a@example.com "

static void prints_the_field_or_json(void **state)
{
	static struct run run;
	(void)state;

	run_line(&run, GOOD, ENVELOPE "-");
	assert_int_equal(run.code, 0);
	assert_string_equal(run.err, "");
	assert_true(bytes_starts(
		bytes_str(run.out), BYTES("Authentication-Results: gate.example.net;\r\n")));
	assert_non_null(strstr(run.out, "spf=pass smtp.mailfrom=a@example.com"));

	run_line(&run, GOOD, ENVELOPE "--json -");
	assert_int_equal(run.code, 0);
	json_t *json = json_loads(run.out, 0, NULL);
	const char *spf, *scope, *dmarc, *from, *org, *policy, *disposition, *field;
	json_t *dkim;
	assert_non_null(json);
	assert_int_equal(
		json_unpack(json, "{s:{s:s, s:s, s:n}, s:o, s:{s:s, s:s, s:s, s:s, s:s}, s:s}",
			"spf", "result", &spf, "scope", &scope, "explanation", "dkim", &dkim,
			"dmarc", "result", &dmarc, "from_domain", &from, "org_domain", &org,
			"policy", &policy, "disposition", &disposition, "authentication_results",
			&field),
		0);
	assert_string_equal(spf, "pass");
	assert_string_equal(scope, "mfrom");
	assert_string_equal(dmarc, "pass");
	assert_string_equal(from, "example.com");
	assert_string_equal(org, "example.com");
	assert_string_equal(policy, "reject");
	assert_string_equal(disposition, "none");
	assert_int_equal(json_array_size(dkim), 0);
	json_decref(json);
}

static void takes_the_envelope_verbatim(void **state)
{
	static struct run run;
	json_t *json;
	const char *explanation;
	(void)state;

	run_line(&run, GOOD,
		"verify --json --zone ZONE --now 17 --ip 2001:db8::1 --helo '' --mail-from "
		"a@example.com -");
	assert_int_equal(run.code, 0);
	json = json_loads(run.out, 0, NULL);
	assert_int_equal(json_unpack(json, "{s:{s:s}}", "spf", "explanation", &explanation), 0);
	assert_string_equal(explanation,
		"not 2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		"0.1 at 17");
	json_decref(json);

	/* octets that are no UTF-8 do not break the JSON */
	run_line(&run, GOOD,
		"verify --json --zone ZONE --ip 192.0.2.1 --helo \xff\xfe --mail-from "
		"\xe9@\xff.com -");
	assert_int_equal(run.code, 0);
	json = json_loads(run.out, 0, NULL);
	assert_non_null(json);
	json_decref(json);
}

static void what_cannot_be_used_is_told_in_one_line(void **state)
{
	static const struct {
		const char *line;
		int code;
	} cases[] = {
		{"verify", 64},
		{"verify -", 64},
		{"verify --ip 192.0.2.1 --helo x --zone ZONE -", 64},
		{"verify --ip 192.0.2.1 --mail-from x --zone ZONE -", 64},
		{"verify --helo x --mail-from x --zone ZONE -", 64},
		{ENVELOPE, 64},
		{ENVELOPE "- -", 64},
		{ENVELOPE "--what -", 64},
		{ENVELOPE "--ip", 64},
		{ENVELOPE "--ip 192.0.2.1.1 -", 64},
		{ENVELOPE "--ip '' -", 64},
		{ENVELOPE "--now 12x -", 64},
		{ENVELOPE "--now '' -", 64},
		{ENVELOPE "--now -5 -", 64},
		{ENVELOPE "--zone /nonexistent/zone -", 66},
		{ENVELOPE "/nonexistent/message", 66},
		{ENVELOPE "/", 66},
		{ENVELOPE "-c /nonexistent/config -", 66},
	};
	static struct run run;
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_line(&run, GOOD, cases[i].line);
		size_t len = strlen(run.err);
		if (run.code != cases[i].code || run.out[0] || len < 2 ||
			strchr(run.err, '\n') != run.err + len - 1)
			fail_msg("%s: exit %d, '%s', '%s'", cases[i].line, run.code, run.out,
				run.err);
	}
}

static void line_ends_are_crlf_unless_converted(void **state)
{
	static const struct bytes bad[] = {
		{(const uint8_t *)"From: a@example.com\n\nx\n", 23},
		{(const uint8_t *)"From: a@example.com\r\n\r\nx\ny\r\n", 28},
		{(const uint8_t *)"\n", 1},
	};
	static struct run run, converted;
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		run_line(&run, bad[i], ENVELOPE "-");
		assert_int_equal(run.code, 65);
		assert_string_equal(run.out, "");
		assert_non_null(strstr(run.err, "bare LF at octet"));
		run_line(&converted, bad[i], ENVELOPE "--lf -");
		assert_int_equal(converted.code, 0);
	}
	run_line(&run, GOOD, ENVELOPE "-");
	run_line(&converted, BYTES("From: a@example.com\n\nHello\n"), ENVELOPE "--lf -");
	assert_string_equal(run.out, converted.out);
}

static void takes_messages_of_any_kind_and_size(void **state)
{
	static const struct bytes odd[] = {
		{(const uint8_t *)"", 0},
		{(const uint8_t *)"\r\n", 2},
		{(const uint8_t *)"From: a@example.com", 19},
		{(const uint8_t *)"no header\r\n\0\r\n\r\r\n", 17},
	};
	static struct run run;
	size_t len = 20 << 20;
	char *large = malloc(len);
	(void)state;

	assert_non_null(large);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		run_line(&run, odd[i], ENVELOPE "-");
		assert_int_equal(run.code, 0);
	}
	for (size_t i = 0; i < len; i++)
		large[i] = "0123456789\r\n"[i % 12];
	memcpy(large, "From: a@x.org\r\n\r\n", 17);
	run_line(&run, bytes_of(large, len - len % 12), ENVELOPE "-");
	assert_int_equal(run.code, 0);
	/* a header section without end is too large */
	memset(large, 'x', len);
	run_line(&run, bytes_of(large, len), ENVELOPE "-");
	assert_int_equal(run.code, 65);
	assert_string_equal(run.out, "");
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_the_field_or_json),
		cmocka_unit_test(takes_the_envelope_verbatim),
		cmocka_unit_test(what_cannot_be_used_is_told_in_one_line),
		cmocka_unit_test(line_ends_are_crlf_unless_converted),
		cmocka_unit_test(takes_messages_of_any_kind_and_size),
	};
	return cmocka_run_group_tests(tests, make_zone, remove_zone);
}
