#include "gateway/cli/verify_dns.h"

#include "auth/dns/dns_zone.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

struct verify_dns {
	struct dns_zone *zone;
	struct auth_engine *engine; /* that asks */
	unsigned answered;
};

int verify_dns_new(const char *zone, const struct resolver_config *network, struct verify_dns **out,
	struct text *why)
{
	struct verify_dns *dns = calloc(1, sizeof(*dns));
	int error;

	if (!dns)
		return -ENOMEM;
	(void)network;
	if (!zone)
		text_put(why, BYTES("--zone is needed: there is no resolver yet"));
	error = zone ? dns_zone_load(zone, &dns->zone, why) : -ENOSYS;
	if (error) {
		verify_dns_free(dns);
		return error;
	}
	*out = dns;
	return 0;
}

void verify_dns_free(struct verify_dns *dns)
{
	if (!dns)
		return;
	if (dns->zone)
		dns_zone_free(dns->zone);
	free(dns);
}

static void answer_from_zone(struct verify_dns *dns, struct auth_ref ref, uint32_t index,
	const struct dns_question *question)
{
	const struct dns_answer *answer = dns_zone_answer(dns->zone, &auth_dns_parsers, question);

	if (!answer)
		answer = dns_answer_failure(DNS_SERVFAIL);
	auth_engine_answer(dns->engine, ref, index, answer, clock_mono_us());
	dns_answer_release(answer);
	dns->answered++;
}

void verify_dns_serve(struct verify_dns *dns, struct auth_engine *engine, bool wait)
{
	struct dns_question question;
	struct auth_ref ref;
	uint32_t index;

	dns->engine = engine;
	dns->answered = 0;
	while (auth_engine_next_question(engine, &ref, &index, &question))
		answer_from_zone(dns, ref, index, &question);
	(void)wait;
}
