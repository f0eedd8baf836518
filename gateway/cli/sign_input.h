#pragma once

#include "auth/dkim/dkim_sign.h"
#include "gateway/cli/verify_input.h"

/* What the commands that sign read: a private key, and a whole message. Failures are told. */

/* A private key in PEM; an exit code. */
int sign_input_key(const char *path, struct dkim_signer **signer);

struct sign_message {
	uint8_t *octets; /* the caller's to free */
	size_t len, room;
	struct verify_input input;
};

/* `path` may be "-" for stdin; an exit code. */
int sign_input_message(const char *path, struct sign_message *message);
