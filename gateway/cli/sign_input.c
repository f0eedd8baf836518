#include "gateway/cli/sign_input.h"

#include "gateway/cli/cli.h"
#include "gateway/signing_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_PORTION 65536

int sign_input_key(const char *path, struct dkim_signer **signer)
{
	char room[512];
	struct text why;

	text_init(&why, room, sizeof(room));
	return signing_key_load(path, signer, &why) ? cli_fail(CLI_FILE, "%s", text_str(&why))
						    : CLI_OK;
}

static int message_add(struct sign_message *message, struct bytes raw)
{
	if (message->room - message->len < 2 * raw.len) {
		size_t room = 2 * (message->len + 2 * raw.len);
		uint8_t *octets = realloc(message->octets, room);
		if (!octets)
			return -ENOMEM;
		message->octets = octets;
		message->room = room;
	}
	message->len += verify_input_feed(&message->input, raw, message->octets + message->len);
	return 0;
}

int sign_input_message(const char *path, struct sign_message *message)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "rbe");
	static uint8_t raw[INPUT_PORTION];
	int error = 0;
	size_t n;

	if (!file)
		return cli_fail(CLI_FILE, "%s: %s", path, strerror(errno));
	while (error == 0 && (n = fread(raw, 1, sizeof(raw), file)) > 0)
		error = message_add(message, bytes_of(raw, n));
	bool failed = ferror(file);
	if (!is_stdin)
		fclose(file);
	if (error < 0)
		return cli_fail(CLI_SOFTWARE, "no memory for the message");
	if (failed)
		return cli_fail(CLI_FILE, "%s cannot be read", path);
	if (message->input.bare_lf_at)
		return cli_fail(CLI_DATA, "%s: bare LF at octet %llu; --lf converts line ends",
			path, (unsigned long long)message->input.bare_lf_at);
	return CLI_OK;
}
