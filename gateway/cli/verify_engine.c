#include "gateway/cli/verify_engine.h"

#include "base/clock.h"
#include "gateway/cli/verify_dns.h"
#include "gateway/control/config.h"

#include <limits.h>
#include <unistd.h>

int verify_engine_new(
	const struct config *config, const char *authserv_id, struct auth_engine **out)
{
	static char hostname[256];
	struct auth_config engine = auth_config_default;

	if (gethostname(hostname, sizeof(hostname) - 1) || !hostname[0])
		strcpy(hostname, "localhost");
	engine.hostname = engine.authserv_id = hostname;
	if (config) {
		engine.hostname = config->hostname;
		engine.authserv_id = config->authserv_id;
		engine.dkim.signatures = config->auth.max_signatures;
		engine.dkim.body_tail = config->auth.body_tail;
		engine.max_header_bytes = config->limits.header_bytes;
	}
	if (authserv_id)
		engine.authserv_id = authserv_id;
	engine.max_mails = 1;
	engine.secondary_wait_ms = UINT32_MAX; /* nobody is kept waiting */
	engine.max_received = UINT_MAX;        /* a loop is the business of SMTP */
	return auth_engine_new(&engine, NULL, NULL, out);
}

void verify_engine_run(struct auth_engine *engine, struct verify_dns *dns, bool wait)
{
	verify_dns_serve(dns, engine, wait);
	auth_engine_run(engine, clock_mono_us(), true, UINT32_MAX);
}

const struct auth_verdict *verify_engine_decide(struct auth_engine *engine, struct verify_dns *dns,
	struct auth_mail *mail, const struct policy_config *policy, const struct ip_addr *client,
	struct policy_decision *decision)
{
	const struct auth_verdict *verdict;

	while (!(verdict = auth_mail_verdict(mail)))
		verify_engine_run(engine, dns, true);
	policy_decide(policy, client, verdict, decision);
	if (decision->override && verdict->dmarc.result == AUTH_FAIL)
		auth_mail_override(mail, decision->override);
	return verdict;
}
