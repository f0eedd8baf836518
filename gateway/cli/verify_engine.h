#pragma once

#include "auth/pipeline.h"

struct config;

/*
 * The engine that the tool runs over one mail at a time, set up as the daemon's; `config` NULL:
 * with defaults and this machine's name. `authserv_id` NULL: the configured one. Strings are
 * borrowed. 0 or -errno.
 */
int verify_engine_new(
	const struct config *config, const char *authserv_id, struct auth_engine **out);
