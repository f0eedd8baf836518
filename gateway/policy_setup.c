#include "gateway/policy_setup.h"

void policy_setup(const struct config *config, struct policy_config *policy)
{
	const struct config_network *forwarders =
		config->policy.forwarders ? config_network_find(config, config->policy.forwarders)
					  : NULL;

	*policy = (struct policy_config){
		.dmarc_on_reject = config->policy.dmarc_on_reject == CONFIG_ON_REJECT_REJECT
					   ? POLICY_ON_REJECT_REJECT
					   : POLICY_ON_REJECT_QUARANTINE,
		.spf_fail_rejects = config->policy.spf_fail == CONFIG_SPF_REJECT,
		.refuse_multiple_from = config->policy.multiple_from == CONFIG_ACTION_REFUSE,
		.sealers = (const char *const *)config->policy.sealers,
		.n_sealers = config->policy.n_sealers,
		.forwarders = forwarders ? forwarders->cidrs : NULL,
		.n_forwarders = forwarders ? forwarders->n_cidrs : 0,
	};
}
