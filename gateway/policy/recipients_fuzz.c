/* A file of recipients from any octets: refused with its line, or whoever it names is known. */
#include "gateway/policy/recipients.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int load(struct bytes content, struct recipients **recipients)
{
	static const char *const domains[] = {"d.example", "e.example"};
	char path[64], reason[512];
	int fd = memfd_create("recipients", MFD_CLOEXEC), error;
	struct text why;

	text_init(&why, reason, sizeof(reason));
	require(fd >= 0 && write(fd, content.data, content.len) == (ssize_t)content.len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error = recipients_new(domains, 2, "postmaster@d.example", path, recipients, &why);
	require((error != 0) == (why.len > 0));
	close(fd);
	return error;
}

static void check_line(const struct recipients *recipients, struct bytes line)
{
	struct smtp_path path;

	line = bytes_trim_fws(bytes_slice(line, 0, bytes_find(line, '#')));
	if (line.len == 0 || line.data[0] == '@')
		return;
	require(smtp_mailbox_parse(line, &path));
	require(recipients_check(recipients, &path) != RECIPIENTS_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content = bytes_of(data, size), line;
	struct recipients *recipients;

	/* A NUL ends a line for stdio. */
	if (bytes_find(content, '\0') != BYTES_NPOS || load(content, &recipients) != 0)
		return 0;
	while (bytes_split(&content, '\n', &line))
		check_line(recipients, line);
	recipients_free(recipients);
	return 0;
}
