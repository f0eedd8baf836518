#pragma once

#include "gateway/control/config.h"

/* Print every error as one line on stderr: `file:line:column: what is wrong and what to do`. */
void config_report(const char *path, const struct config_errors *errors);
