#pragma once

#include "gateway/control/config.h"

#include <stdio.h>

/* The other uses of the table of keys: what the tool, the sample file and the manual page are made
 * from. */

/* Every key as it stands after defaults (`postern config`), or only what differs from them (`-n`).
 */
void config_print(const struct config *config, bool only_changed, FILE *out);
/* A sample file: every key with its help and default, commented out where it has one. */
void config_print_sample(FILE *out);
/* The list of keys for the manual page, as roff. */
void config_print_man(FILE *out);
