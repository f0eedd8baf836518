#include "gateway/signing_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY_FILE_MAX 16384

int signing_key_load(const char *path, struct dkim_signer **out, struct text *why)
{
	char pem[KEY_FILE_MAX];
	FILE *file = fopen(path, "rbe");

	if (!file) {
		int error = -errno;
		text_printf(why, "%s: %s", path, strerror(errno));
		return error;
	}
	size_t n = fread(pem, 1, sizeof(pem), file);
	fclose(file);
	int error = n < sizeof(pem) ? dkim_signer_new(bytes_of(pem, n), out) : -EINVAL;
	explicit_bzero(pem, sizeof(pem));
	if (error == -ENOTSUP)
		text_printf(why, "%s: neither RSA of 1024 bits or more nor Ed25519", path);
	else if (error)
		text_printf(why, "%s: no private key in PEM", path);
	return error;
}
