#include "gateway/policy/policy_vouch.h"

static bool is_forwarder(const struct policy_config *config, const struct ip_addr *client)
{
	for (unsigned i = 0; i < config->n_forwarders; i++)
		if (ip_cidr_match(&config->forwarders[i], client))
			return true;
	return false;
}

static bool is_trusted(const struct policy_config *config, struct bytes domain)
{
	for (unsigned i = 0; i < config->n_sealers; i++)
		if (bytes_eq_nocase(domain, bytes_str(config->sealers[i])))
			return true;
	return false;
}

/*
 * From the newest set down, as long as the sealer is trusted. One that reports a DMARC fail passes
 * the question on to who sealed before it: a list behind a list sees what the first one broke. Who
 * reports nothing of DMARC is taken at the word of its seal.
 */
static bool is_vouched_by_seal(const struct policy_config *config, const struct auth_arc *arc)
{
	if (arc->result != AUTH_PASS || !arc->sealers)
		return false;
	for (unsigned i = arc->chain_length; i-- > 0;) {
		if (!is_trusted(config, arc->sealers[i].domain))
			return false;
		if (arc->sealers[i].dmarc == AUTH_PASS || arc->sealers[i].dmarc == AUTH_NONE)
			return true;
	}
	return false;
}

const char *policy_vouch(const struct policy_config *config, const struct ip_addr *client,
	const struct auth_arc *arc)
{
	if (is_forwarder(config, client))
		return "forwarder";
	return is_vouched_by_seal(config, arc) ? "trusted-sealer" : NULL;
}

bool policy_vouch_may(const struct policy_config *config, const struct auth_arc *arc)
{
	return arc->result == AUTH_TEMPERROR && is_trusted(config, arc->sealer);
}
