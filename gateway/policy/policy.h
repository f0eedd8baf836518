#pragma once

#include "auth/verdict.h"
#include "gateway/smtp/smtp_reply.h"

/*
 * What becomes of a mail, from what auth found out (DESIGN §7). Facts in, one decision out; nothing
 * else is looked at, so the same code serves `postern verify`.
 */

enum policy_on_reject { POLICY_ON_REJECT_QUARANTINE, POLICY_ON_REJECT_REJECT };

struct policy_config {
	enum policy_on_reject
		dmarc_on_reject;   /* what p=reject asks for is done as (RFC 9989 §7.4) */
	bool spf_fail_rejects;     /* without DMARC: refuse SPF fail unless an aligned DKIM pass */
	bool refuse_multiple_from; /* more than one author domain is refused */
	/* Whose word spares mail what a DMARC or SPF fail would become; borrowed. */
	const char *const *sealers; /* domains (d=), compared as a whole */
	unsigned n_sealers;
	const struct ip_cidr *forwarders;
	unsigned n_forwarders;
};
extern const struct policy_config policy_config_default;

#define POLICY_ACTIONS(X)                                                                          \
	X(ACCEPT, "accept")                                                                        \
	X(QUARANTINE, "quarantine")                                                                \
	X(REJECT, "reject")                                                                        \
	X(DEFER, "defer")

enum policy_action {
#define X(name, word) POLICY_##name,
	POLICY_ACTIONS(X)
#undef X
};

const char *policy_action_word(enum policy_action action);

#define POLICY_TEXT_MAX 320

struct policy_decision {
	enum policy_action action;
	const char *reason;   /* a stable token for logs: dmarc, spf, multiple-from, dns, or the
				 override; "" for a plain accept */
	const char *override; /* local policy that spared it: trusted-sealer, forwarder; NULL: none
				 did */
	const struct smtp_reply *reply; /* for REJECT and DEFER */
	char text[POLICY_TEXT_MAX];     /* the reply's text; empty: its own */
};

void policy_decide(const struct policy_config *config, const struct ip_addr *client,
	const struct auth_verdict *verdict, struct policy_decision *decision);
