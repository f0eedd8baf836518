/* Any mail: whole and dribbled give the same chain. */
#include "auth/arc/arc_harness.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char zone_text[] =
	"s._domainkey.a. 60 IN TXT \"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
	"t._domainkey.a. 60 IN SERVFAIL TXT\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dkim_harness h;
	static struct dns_zone *zone;
	static struct arc_verifier *arc;
	struct bytes message = bytes_of(data, size);

	if (!zone) {
		char why[128];
		struct text problem;
		text_init(&problem, why, sizeof(why));
		if (dns_zone_parse(bytes_str(zone_text), "zone", &zone, &problem) < 0)
			abort();
		dkim_harness_init(&h, zone);
		h.hooks = &arc_harness_hooks;
		h.ctx = &arc;
	}
	h.portion = 0;
	h.keys_last = false;
	dkim_harness_run(&h, message);
	enum auth_result result = arc_verifier_result(arc);
	const char *reason = arc_verifier_reason(arc);
	unsigned length = arc_verifier_chain_length(arc);
	h.portion = size < 2000 ? 1 : 97;
	h.keys_last = true;
	dkim_harness_run(&h, message);
	if (!arc_verifier_done(arc) || arc_verifier_result(arc) != result ||
		arc_verifier_reason(arc) != reason || arc_verifier_chain_length(arc) != length)
		abort();
	if ((result == AUTH_PASS || result == AUTH_NONE) != !reason)
		abort();
	dkim_harness_end(&h);
	return 0;
}
