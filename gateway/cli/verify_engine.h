#pragma once

#include "auth/pipeline.h"
#include "gateway/policy/policy.h"

struct config;
struct verify_dns;

/*
 * The engine that the tool runs over one mail at a time, set up as the daemon's; `config` NULL:
 * with defaults and this machine's name. `authserv_id` NULL: the configured one. Strings are
 * borrowed. 0 or -errno.
 */
int verify_engine_new(
	const struct config *config, const char *authserv_id, struct auth_engine **out);

/* Answers what is asked, and runs what is queued; `wait`: for the network, if nothing came yet. */
void verify_engine_run(struct auth_engine *engine, struct verify_dns *dns, bool wait);
/*
 * The verdict of a mail whose content has ended, and what the policy makes of it, an override of
 * its DMARC result included.
 */
const struct auth_verdict *verify_engine_decide(struct auth_engine *engine, struct verify_dns *dns,
	struct auth_mail *mail, const struct policy_config *policy, const struct ip_addr *client,
	struct policy_decision *decision);
