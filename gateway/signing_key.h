#pragma once

#include "auth/dkim/dkim_sign.h"

/*
 * A private key in PEM from a file. 0; -errno where the file cannot be read, -EINVAL or -ENOTSUP
 * where there is no such key in it, with the reason.
 */
int signing_key_load(const char *path, struct dkim_signer **out, struct text *why);
