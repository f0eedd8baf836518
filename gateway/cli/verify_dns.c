#include "gateway/cli/verify_dns.h"

#include "auth/dns/dns_zone.h"
#include "auth/dns/resolver.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "gateway/control/config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define WAIT_MS     100
#define CACHE_BYTES (4u << 20)
#define TIMEOUT_MS  20000
#define OPEN_MAX    256
#define ROOT_KEY    "/usr/share/dns/root.key"

struct verify_dns {
	struct dns_zone *zone; /* NULL: the network */
	struct epoch epoch;
	struct dns_cache *cache;
	struct resolver *resolver;
	struct auth_engine *engine; /* that asks; NULL: verify_dns_ask() does */
	verify_dns_kept_fn kept;    /* NULL: nothing is */
	void *kept_arg;
	const struct dns_answer *got;
	unsigned answered;
};

static void on_answer(
	void *arg, const struct resolver_token *token, const struct dns_answer *answer)
{
	struct verify_dns *dns = arg;
	struct auth_ref ref = {token->slot, token->generation};

	dns->answered++;
	if (!dns->engine) {
		dns->got = answer;
		return;
	}
	auth_engine_answer(dns->engine, ref, token->index, answer, clock_mono_us());
	dns_answer_release(answer);
}

static int open_network(
	struct verify_dns *dns, const struct resolver_config *network, struct text *why)
{
	struct dns_cache_config cache = dns_cache_config_default;
	int error = epoch_init(&dns->epoch, 1);

	cache.max_bytes = CACHE_BYTES;
	if (getrandom(&cache.key, sizeof(cache.key), 0) != sizeof(cache.key))
		return -EIO;
	if (!error)
		error = dns_cache_new(&cache, &dns->epoch, &dns->cache);
	if (!error)
		error = resolver_new(network, dns->cache, &auth_dns_parsers, on_answer, dns,
			&dns->resolver, why);
	return error;
}

static struct resolver_config network_of(const struct config *config)
{
	struct resolver_config network = {
		.mode = RESOLVER_RECURSIVE,
		.root_key = access(ROOT_KEY, R_OK) == 0 ? ROOT_KEY : NULL,
		.timeout_ms = TIMEOUT_MS,
		.max_open = OPEN_MAX,
	};

	if (!config)
		return network;
	network.mode = config->dns.n_forward > 0 ? RESOLVER_FORWARD : RESOLVER_RECURSIVE;
	memcpy(network.forward, config->dns.forward, sizeof(network.forward));
	network.n_forward = config->dns.n_forward;
	network.root_key = config->dns.root_key;
	network.timeout_ms = config->dns.timeout_ms;
	return network;
}

int verify_dns_new(
	const char *zone, const struct config *config, struct verify_dns **out, struct text *why)
{
	struct verify_dns *dns = calloc(1, sizeof(*dns));
	struct resolver_config network = network_of(config);
	int error;

	if (!dns)
		return -ENOMEM;
	if (!zone && config)
		zone = config->dns.zone;
	error = zone ? dns_zone_load(zone, &dns->zone, why) : open_network(dns, &network, why);
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
	if (dns->resolver)
		resolver_free(dns->resolver);
	if (dns->cache)
		dns_cache_free(dns->cache);
	free(dns);
}

static const struct dns_answer *zone_answer(
	struct verify_dns *dns, const struct dns_question *question)
{
	const struct dns_answer *answer = dns_zone_answer(dns->zone, &auth_dns_parsers, question);

	return answer ? answer : dns_answer_failure(DNS_SERVFAIL);
}

void verify_dns_prefer(struct verify_dns *dns, verify_dns_kept_fn kept, void *arg)
{
	dns->kept = kept;
	dns->kept_arg = arg;
}

/* What is at hand; NULL: the network is to be asked. */
static const struct dns_answer *answer_at_hand(
	struct verify_dns *dns, const struct dns_question *question)
{
	const struct dns_answer *answer = dns->kept ? dns->kept(dns->kept_arg, question) : NULL;

	return answer || !dns->zone ? answer : zone_answer(dns, question);
}

static void give(struct verify_dns *dns, struct auth_ref ref, uint32_t index,
	const struct dns_answer *answer)
{
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
	while (auth_engine_next_question(engine, &ref, &index, &question)) {
		struct resolver_token token = {
			.slot = ref.slot, .generation = ref.generation, .index = index};
		const struct dns_answer *answer = answer_at_hand(dns, &question);

		if (answer)
			give(dns, ref, index, answer);
		else
			resolver_ask(dns->resolver, &question, &token);
	}
	if (dns->resolver)
		resolver_run_once(dns->resolver, -1, wait && dns->answered == 0 ? WAIT_MS : 0);
}

const struct dns_answer *verify_dns_ask(struct verify_dns *dns, const struct dns_question *question)
{
	const struct resolver_token token = {0};

	if (dns->zone)
		return zone_answer(dns, question);
	dns->engine = NULL;
	dns->got = NULL;
	resolver_ask(dns->resolver, question, &token);
	while (!dns->got)
		resolver_run_once(dns->resolver, -1, WAIT_MS);
	return dns->got;
}
