#pragma once

#include "gateway/control/config.h"

#define CLI_CONFIG_DEFAULT "/etc/postern/postern.yaml"

/* Load a file, or print every error as `file:line:column: what` on stderr and return NULL. */
struct config *cli_config_load(const char *path);
