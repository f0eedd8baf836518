/*
 * Any octets as postern.yaml: every refusal has its place and words; what is taken, printed and
 * read again, is the same configuration.
 */
#include "gateway/control/config.h"
#include "gateway/control/config_print.h"

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

static int load(struct bytes content, struct config **config)
{
	static struct config_errors errors;
	char path[64];
	int fd = memfd_create("postern.yaml", MFD_CLOEXEC), error;

	require(fd >= 0 && write(fd, content.data, content.len) == (ssize_t)content.len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error = config_load(path, config, &errors);
	require((error == 0) == (errors.n == 0));
	for (unsigned i = 0; i < errors.n; i++)
		require(errors.error[i].text[0] != '\0');
	close(fd);
	return error;
}

static char *print(const struct config *config, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	require(out != NULL);
	config_print(config, false, out);
	fclose(out);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config, *again;
	char *text, *text_again;
	size_t len, len_again;

	if (load(bytes_of(data, size), &config) != 0)
		return 0;
	text = print(config, &len);
	require(load(bytes_of(text, len), &again) == 0);
	text_again = print(again, &len_again);
	require(len == len_again && memcmp(text, text_again, len) == 0);
	free(text);
	free(text_again);
	config_free(config);
	config_free(again);
	return 0;
}
