#include "bench/load/load_mails.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The most that a message may grow: each octet an LF (CRLF) before a dot (two of them), and the
 * end. */
#define WIRE_MAX(octets) ((octets)*2 + 5)

static size_t put_wire(uint8_t *out, struct bytes message, bool convert)
{
	bool line_start = true;
	size_t n = 0;

	for (size_t i = 0; i < message.len; i++) {
		uint8_t octet = message.data[i];

		if (line_start && octet == '.')
			out[n++] = '.';
		if (convert && octet == '\n')
			out[n++] = '\r';
		out[n++] = octet;
		line_start = n >= 2 && out[n - 2] == '\r' && octet == '\n';
	}
	if (!line_start) {
		out[n++] = '\r';
		out[n++] = '\n';
	}
	memcpy(out + n, ".\r\n", 3);
	return n + 3;
}

int load_mails_add(struct load_mails *mails, struct bytes message)
{
	bool convert = bytes_find_bytes(message, BYTES("\r\n")) == BYTES_NPOS &&
		       bytes_find(message, '\n') != BYTES_NPOS;
	struct bytes *wires;
	uint8_t *wire;
	size_t len;

	if (mails->count == LOAD_MAILS_MAX || message.len > LOAD_MAILS_BYTES_MAX - mails->octets)
		return -ENOSPC;
	wires = realloc(mails->wires, (mails->count + 1) * sizeof(*wires));
	if (!wires)
		return -ENOMEM;
	mails->wires = wires;
	wire = malloc(WIRE_MAX(message.len));
	if (!wire)
		return -ENOMEM;
	len = put_wire(wire, message, convert);
	wires[mails->count++] = bytes_of(wire, len);
	mails->octets += message.len;
	mails->converted += convert;
	return 0;
}

int load_mails_generate(struct load_mails *mails, const char *from, const char *to, size_t size)
{
	static const char line[] =
		".The quick brown fox jumps over the lazy dog, and back again it "
		"goes.\r\n";
	char *message = malloc(size + 1024);
	size_t n = 0;
	int rc;

	*mails = (struct load_mails){0};
	if (!message)
		return -ENOMEM;
	n = (size_t)snprintf(message, 1024,
		"From: Sender <%.200s>\r\nTo: <%.200s>\r\nSubject: load\r\n"
		"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <load@plain.example>\r\n"
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
		from, to);
	/* Each tenth line begins with its dot. */
	for (unsigned i = 0; n < size; i++) {
		const char *text = i % 10 == 0 ? line : line + 1;
		size_t len = strlen(text);

		if (len > size - n) {
			text += len - (size - n < 2 ? 2 : size - n);
			len = strlen(text);
		}
		memcpy(message + n, text, len);
		n += len;
	}
	rc = load_mails_add(mails, bytes_of(message, n));
	free(message);
	return rc;
}

static int add_file(struct load_mails *mails, const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	uint8_t *data = NULL;
	int rc = file ? 0 : -errno;

	if (rc == 0 && fstat(fileno(file), &st) < 0)
		rc = -errno;
	if (rc == 0 && !S_ISREG(st.st_mode))
		rc = -EISDIR;
	if (rc == 0 && (uint64_t)st.st_size > LOAD_MAILS_BYTES_MAX)
		rc = -ENOSPC;
	if (rc == 0) {
		data = malloc((size_t)st.st_size + 1);
		rc = data ? 0 : -ENOMEM;
	}
	if (rc == 0)
		rc = load_mails_add(
			mails, bytes_of(data, fread(data, 1, (size_t)st.st_size, file)));
	free(data);
	if (file)
		fclose(file);
	return rc;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int load_mails_read(struct load_mails *mails, const char *folder, struct text *why)
{
	struct dirent **names;
	int n = scandir(folder, &names, is_visible, alphasort), rc = 0;

	*mails = (struct load_mails){0};
	if (n < 0) {
		rc = -errno;
		text_printf(why, "%s: %s", folder, strerror(errno));
		return rc;
	}
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (rc == 0) {
			rc = add_file(mails, path);
			if (rc == -EISDIR) /* folders below and such are no mails */
				rc = 0;
			else if (rc)
				text_printf(why, "%s: %s", path,
					rc == -ENOSPC ? "too many mails, or too large"
						      : strerror(-rc));
		}
		free(names[i]);
	}
	free(names);
	if (rc == 0 && mails->count == 0) {
		text_printf(why, "%s: there is no mail in it", folder);
		rc = -ENOENT;
	}
	if (rc)
		load_mails_free(mails);
	return rc;
}

void load_mails_free(struct load_mails *mails)
{
	for (unsigned i = 0; i < mails->count; i++)
		free((void *)mails->wires[i].data);
	free(mails->wires);
	*mails = (struct load_mails){0};
}
