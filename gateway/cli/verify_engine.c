#include "gateway/cli/verify_engine.h"

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
