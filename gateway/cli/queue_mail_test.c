#include "gateway/cli/queue_mail.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/queue_id.h"
#include "base/testing.h"

/* A mail to two, with a field of ours cut out of it. */
static struct spool_view view_of(const struct spool_recipient to[2])
{
	static const struct spool_cut cut = {6, 12};

	return (struct spool_view){
		.content = BYTES("A: b\r\nC: d\r\n\r\nx\r\n"),
		.envelope = {.queue_id = 1,
			.n_recipients = 2,
			.recipients = to,
			.prepend = BYTES("R: r\r\n"),
			.quarantine_prepend = BYTES("Q: q\r\n"),
			.n_cuts = 1,
			.cuts = &cut},
	};
}

/* What was exported with that ending, or "". */
static const char *exported(const char *folder, const char *ending)
{
	static char text[256];
	char path[128], id[QUEUE_ID_TEXT_SIZE];
	FILE *file;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s%s", folder, queue_id_format(1, id), ending);
	file = fopen(path, "r");
	if (file) {
		n = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
		unlink(path);
	}
	text[n] = '\0';
	return text;
}

#define PLAIN "R: r\r\nA: b\r\n\r\nx\r\n"

static void each_copy_is_exported_as_it_would_be_delivered(void **state)
{
	static const struct {
		uint8_t flags[2];
		const char *eml, *junk;
	} cases[] = {
		{{0, 0}, PLAIN, ""},
		{{SPOOL_RCPT_QUARANTINE, SPOOL_RCPT_QUARANTINE}, "Q: q\r\n" PLAIN, ""},
		{{0, SPOOL_RCPT_QUARANTINE}, PLAIN, "Q: q\r\n" PLAIN},
	};
	char folder[] = "/tmp/queue_mail_test.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spool_recipient to[2] = {
			{.flags = cases[i].flags[0]}, {.flags = cases[i].flags[1]}};
		struct spool_view view = view_of(to);

		assert_int_equal(queue_mail_export(&view, folder), 0);
		assert_string_equal(exported(folder, ".eml"), cases[i].eml);
		assert_string_equal(exported(folder, ".junk.eml"), cases[i].junk);
	}
	assert_int_equal(rmdir(folder), 0);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct spool_recipient to[2] = {{.flags = 0}};
	struct spool_view view = view_of(to);

	(void)state;
	assert_int_equal(queue_mail_export(&view, "/nonexistent"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_copy_is_exported_as_it_would_be_delivered),
		cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests_name("cli/queue_mail", tests, NULL, NULL);
}
