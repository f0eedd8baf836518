#pragma once

#include "gateway/control/config.h"

/*
 * What of a configuration may change while the daemon runs: keys that only look at mail and its
 * senders. What memory, devices and files were made from at start needs a restart.
 */

/* A key of config_keys, by its path. */
bool config_reload_is_live(const char *path);
extern const unsigned config_reload_n_live;

/* Calls `fn` for every key that needs a restart and differs. Returns how many. */
unsigned config_reload_differences(const struct config *old, const struct config *new,
	void (*fn)(void *arg, const char *path), void *arg);
