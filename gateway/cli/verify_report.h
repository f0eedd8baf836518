#pragma once

#include "gateway/policy/policy.h"

/* The verdict as one JSON object on stdout (DESIGN §6), and what it comes to. 0, or -ENOMEM, or
 * -EIO. */
int verify_report_json(const struct auth_verdict *verdict, const struct policy_decision *decision);
