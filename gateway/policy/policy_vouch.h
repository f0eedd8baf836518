#pragma once

#include "gateway/policy/policy.h"

/*
 * Who vouches for a mail that fails by itself (DESIGN §7): a forwarder by its address, or a sealer
 * whose ARC chain is valid. Never a name that anybody may give.
 */

/* The reason as a token, "forwarder" or "trusted-sealer"; NULL where nobody does. */
const char *policy_vouch(const struct policy_config *config, const struct ip_addr *client,
	const struct auth_arc *arc);
/* The chain claims a trusted sealer, and only a look-up that failed for now keeps it unproven. */
bool policy_vouch_may(const struct policy_config *config, const struct auth_arc *arc);
