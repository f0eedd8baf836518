#include "gateway/policy/recipients.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const domains[] = {"example.org", "Example.NET"};

static enum recipients_answer ask(const struct recipients *r, const char *address)
{
	char text[300];
	struct smtp_path path;
	struct bytes rest;

	snprintf(text, sizeof(text), "<%s>", address);
	rest = bytes_str(text);
	assert_true(smtp_path_parse(&rest, false, true, &path));
	return recipients_check(r, &path);
}

static struct recipients *make(const char *file, char *said, size_t size)
{
	struct recipients *r = NULL;
	struct text why;

	text_init(&why, said, size);
	if (recipients_new(domains, 2, "admin@example.org", file, &r, &why) != 0)
		text_str(&why);
	return r;
}

static void write_file(char *path, const char *content)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
}

static void without_a_file_every_local_part_of_our_domains_is_known(void **state)
{
	char said[200];
	struct recipients *r = make(NULL, said, sizeof(said));

	(void)state;
	assert_int_equal(ask(r, "anybody@example.org"), RECIPIENTS_OK);
	assert_int_equal(ask(r, "anybody@EXAMPLE.net"), RECIPIENTS_OK);
	assert_int_equal(ask(r, "anybody@sub.example.org"), RECIPIENTS_FOREIGN);
	assert_int_equal(ask(r, "anybody@example.org.evil"), RECIPIENTS_FOREIGN);
	assert_int_equal(ask(r, "anybody@[192.0.2.1]"), RECIPIENTS_FOREIGN);
	recipients_free(r);
}

static void a_file_names_all_that_are_known(void **state)
{
	char path[] = "recipients-XXXXXX", said[200];
	struct recipients *r;

	(void)state;
	write_file(
		path, "# people\nAnna@example.org\n\n  bob@example.org # comment\n@example.net\n");
	r = make(path, said, sizeof(said));
	assert_non_null(r);
	assert_int_equal(ask(r, "anna@Example.Org"), RECIPIENTS_OK);
	assert_int_equal(ask(r, "BOB@example.org"), RECIPIENTS_OK);
	assert_int_equal(ask(r, "carl@example.org"), RECIPIENTS_UNKNOWN);
	assert_int_equal(ask(r, "carl@example.net"), RECIPIENTS_OK);
	recipients_free(r);
	unlink(path);
}

static void postmaster_is_always_known(void **state)
{
	char path[] = "recipients-XXXXXX", said[200];
	struct recipients *r;

	(void)state;
	write_file(path, "anna@example.org\n");
	r = make(path, said, sizeof(said));
	assert_int_equal(ask(r, "postmaster"), RECIPIENTS_POSTMASTER);
	assert_int_equal(ask(r, "PostMaster@example.net"), RECIPIENTS_POSTMASTER);
	assert_int_equal(ask(r, "postmaster@foreign.example"), RECIPIENTS_FOREIGN);
	assert_true(bytes_eq(recipients_postmaster(r), BYTES("admin@example.org")));
	recipients_free(r);
	unlink(path);
}

static void an_error_names_file_and_line(void **state)
{
	char path[] = "recipients-XXXXXX", said[200], expected[200];

	(void)state;
	write_file(path, "anna@example.org\nnot an address\n");
	assert_null(make(path, said, sizeof(said)));
	snprintf(expected, sizeof(expected), "%s:2: write an address or @domain, one a line", path);
	assert_string_equal(said, expected);
	unlink(path);
	assert_null(make(path, said, sizeof(said)));
	assert_non_null(strstr(said, "No such file"));
}

static void many_addresses_are_all_found(void **state)
{
	char path[] = "recipients-XXXXXX", said[200], address[40];
	struct recipients *r;
	FILE *out;

	(void)state;
	write_file(path, "");
	out = fopen(path, "w");
	for (unsigned i = 0; i < 5000; i++)
		fprintf(out, "user%u@example.org\n", i);
	fclose(out);
	r = make(path, said, sizeof(said));
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(address, sizeof(address), "user%u@example.org", i);
		assert_int_equal(ask(r, address), i < 5000 ? RECIPIENTS_OK : RECIPIENTS_UNKNOWN);
	}
	recipients_free(r);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_every_local_part_of_our_domains_is_known),
		cmocka_unit_test(a_file_names_all_that_are_known),
		cmocka_unit_test(postmaster_is_always_known),
		cmocka_unit_test(an_error_names_file_and_line),
		cmocka_unit_test(many_addresses_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
