#pragma once

#include "auth/verdict.h"

/* The verdict as one JSON object on stdout (DESIGN §6). 0, or -ENOMEM, or -EIO. */
int verify_report_json(const struct auth_verdict *verdict, const char *disposition);
