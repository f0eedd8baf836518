#pragma once

#include "gateway/control/config.h"
#include "gateway/policy/policy.h"

/* The policy that a configuration asks for; it borrows from it. */
void policy_setup(const struct config *config, struct policy_config *policy);
