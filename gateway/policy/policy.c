#include "gateway/policy/policy.h"

#include "gateway/policy/policy_vouch.h"

#include <stdio.h>

const struct policy_config policy_config_default = {
	.dmarc_on_reject = POLICY_ON_REJECT_QUARANTINE,
	.refuse_multiple_from = true,
};

const char *policy_action_word(enum policy_action action)
{
	static const char *const words[] = {
#define X(name, word) [POLICY_##name] = word,
		POLICY_ACTIONS(X)
#undef X
	};

	return words[action];
}

static enum policy_action dmarc_action(
	const struct policy_config *config, const struct auth_dmarc *dmarc)
{
	if (dmarc->result != AUTH_FAIL)
		return POLICY_ACCEPT;
	switch (dmarc->policy) {
	case DMARC_POLICY_REJECT:
		return config->dmarc_on_reject == POLICY_ON_REJECT_REJECT ? POLICY_REJECT
									  : POLICY_QUARANTINE;
	case DMARC_POLICY_QUARANTINE: return POLICY_QUARANTINE;
	default: return POLICY_ACCEPT;
	}
}

static void decide(struct policy_decision *decision, enum policy_action action, const char *reason,
	enum smtp_reply_id reply)
{
	*decision = (struct policy_decision){
		.action = action, .reason = reason, .reply = smtp_reply_get(reply)};
}

static void set_text(struct policy_decision *decision, const char *format, struct bytes value)
{
	snprintf(decision->text, sizeof(decision->text), format, (int)value.len,
		(const char *)value.data);
}

static bool refuses_multiple_from(
	const struct policy_config *config, const struct auth_dmarc *dmarc)
{
	return config->refuse_multiple_from && (dmarc->from_fields > 1 || dmarc->from_domains > 1);
}

/* A DMARC record is there: then SPF alone decides nothing. */
static bool has_dmarc(const struct auth_dmarc *dmarc)
{
	return dmarc->result == AUTH_PASS || dmarc->result == AUTH_FAIL;
}

/* `inner` is `outer` or lies below it. */
static bool is_within(struct bytes inner, struct bytes outer)
{
	if (outer.len == 0 || !bytes_ends_nocase(inner, outer))
		return false;
	return inner.len == outer.len || inner.data[inner.len - outer.len - 1] == '.';
}

/*
 * Without a DMARC record there is no organizational domain to go by: a signer counts as aligned
 * that is the author domain, or above or below it.
 */
static bool has_aligned_dkim_pass(const struct auth_verdict *verdict)
{
	struct bytes author = verdict->dmarc.from_domain;

	for (unsigned i = 0; i < verdict->n_dkim; i++) {
		struct bytes signer = verdict->dkim[i].domain;

		if (verdict->dkim[i].result == AUTH_PASS &&
			(is_within(author, signer) || is_within(signer, author)))
			return true;
	}
	return false;
}

static bool refuses_spf(const struct policy_config *config, const struct auth_verdict *verdict)
{
	return config->spf_fail_rejects && verdict->spf.result == AUTH_FAIL &&
	       !has_dmarc(&verdict->dmarc) && !has_aligned_dkim_pass(verdict);
}

/*
 * A look-up that failed for now defers the mail only if its answer could turn accept into more
 * (DESIGN §7): DMARC with a policy that asks for it, or an SPF fail that is refused here.
 */
static bool defers(const struct policy_config *config, const struct auth_verdict *verdict)
{
	if (verdict->dmarc.result == AUTH_TEMPERROR)
		return verdict->temporary;
	return config->spf_fail_rejects && verdict->spf.result == AUTH_TEMPERROR &&
	       !has_dmarc(&verdict->dmarc) && !has_aligned_dkim_pass(verdict);
}

/* What the mail deserves by itself, whoever vouches for it. */
static void decide_alone(const struct policy_config *config, const struct auth_verdict *verdict,
	struct policy_decision *decision)
{
	enum policy_action by_dmarc = dmarc_action(config, &verdict->dmarc);

	if (by_dmarc == POLICY_REJECT) {
		decide(decision, POLICY_REJECT, "dmarc", SMTP_REPLY_REFUSED);
		set_text(decision, "Email rejected per DMARC policy for %.*s",
			verdict->dmarc.from_domain);
	} else if (refuses_spf(config, verdict)) {
		decide(decision, POLICY_REJECT, "spf", SMTP_REPLY_SPF_REFUSED);
		if (verdict->spf.explanation.len > 0)
			set_text(decision, "SPF validation failed: %.*s", verdict->spf.explanation);
	} else if (defers(config, verdict)) {
		decide(decision, POLICY_DEFER, "dns", SMTP_REPLY_DNS_LATER);
	} else if (by_dmarc == POLICY_QUARANTINE) {
		decide(decision, POLICY_QUARANTINE, "dmarc", SMTP_REPLY_OK);
	} else {
		decide(decision, POLICY_ACCEPT, "", SMTP_REPLY_OK);
	}
}

void policy_decide(const struct policy_config *config, const struct ip_addr *client,
	const struct auth_verdict *verdict, struct policy_decision *decision)
{
	if (refuses_multiple_from(config, &verdict->dmarc)) {
		decide(decision, POLICY_REJECT, "multiple-from", SMTP_REPLY_MULTIPLE_FROM);
		return;
	}
	decide_alone(config, verdict, decision);
	if (decision->action == POLICY_ACCEPT)
		return;
	const char *by = policy_vouch(config, client, &verdict->arc);
	if (by) {
		decide(decision, POLICY_ACCEPT, by, SMTP_REPLY_OK);
		decision->override = by;
	} else if (decision->action == POLICY_REJECT && policy_vouch_may(config, &verdict->arc)) {
		decide(decision, POLICY_DEFER, "dns", SMTP_REPLY_DNS_LATER);
	}
}
