#include "base/testing.h"
#include "bench/load/load_mails.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void messages_are_stuffed_and_ended(void **state)
{
	static const struct {
		const char *message, *wire;
	} cases[] = {
		{"a: b\r\n\r\nc\r\n", "a: b\r\n\r\nc\r\n.\r\n"},
		{"a: b\r\n\r\nc", "a: b\r\n\r\nc\r\n.\r\n"},
		{".\r\n..x\r\n", "..\r\n...x\r\n.\r\n"},
		{"a\n.b\n", "a\r\n..b\r\n.\r\n"},
		{"a\r\nb\n.c\r\n", "a\r\nb\n.c\r\n.\r\n"},
		{"", ".\r\n"},
		{"\n", "\r\n.\r\n"},
		{"x\r", "x\r\r\n.\r\n"},
	};
	struct load_mails mails = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load_mails_add(&mails, bytes_str(cases[i].message)), 0);
		assert_int_equal(mails.wires[i].len, strlen(cases[i].wire));
		assert_memory_equal(mails.wires[i].data, cases[i].wire, mails.wires[i].len);
	}
	assert_int_equal(mails.converted, 2);
	load_mails_free(&mails);
}

static void the_generated_mail_has_its_size(void **state)
{
	static const size_t sizes[] = {400, 401, 4096, 20480, 20481};

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct load_mails mails;

		assert_int_equal(load_mails_generate(&mails, "a@b", "c@d", sizes[i]), 0);
		assert_in_range(mails.octets, sizes[i], sizes[i] + 1);
		assert_int_equal(mails.count, 1);
		assert_int_equal(mails.converted, 0);
		assert_memory_equal(mails.wires[0].data + mails.wires[0].len - 5, "\r\n.\r\n", 5);
		load_mails_free(&mails);
	}
}

static void a_folder_is_read_in_order(void **state)
{
	char folder[] = "/tmp/load_mails.XXXXXX", path[64], why_buf[256];
	static const char *const names[] = {"b", "a", ".hidden"};
	struct load_mails mails;
	struct text why;

	(void)state;
	text_init(&why, why_buf, sizeof(why_buf));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(load_mails_read(&mails, folder, &why), -ENOENT);
	for (unsigned i = 0; i < 3; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		file = fopen(path, "we");
		assert_non_null(file);
		fprintf(file, "X: %s\n", names[i]);
		fclose(file);
	}
	snprintf(path, sizeof(path), "%s/below", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(load_mails_read(&mails, folder, &why), 0);
	assert_int_equal(mails.count, 2);
	assert_bytes_equal(mails.wires[0], "X: a\r\n.\r\n");
	assert_bytes_equal(mails.wires[1], "X: b\r\n.\r\n");
	load_mails_free(&mails);
	rmdir(path);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	assert_int_equal(load_mails_read(&mails, folder, &why), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_stuffed_and_ended),
		cmocka_unit_test(the_generated_mail_has_its_size),
		cmocka_unit_test(a_folder_is_read_in_order),
	};

	return cmocka_run_group_tests_name("load/load_mails", tests, NULL, NULL);
}
