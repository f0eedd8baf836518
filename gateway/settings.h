#pragma once

#include "gateway/control/config.h"
#include "gateway/policy/recipients.h"

/*
 * What a reload replaces, as one immutable thing: a configuration and what was read for it. Workers
 * look at one at a time and go over to the next between two poll rounds.
 */
struct settings {
	struct config *config;
	struct recipients *recipients;
	struct settings *next; /* the owner's */
};

/* Takes `config`, also where it fails. 0 or -errno with the reason. */
int settings_new(struct config *config, struct settings **out, struct text *why);
void settings_free(struct settings *settings);
