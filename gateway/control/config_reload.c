#include "gateway/control/config_reload.h"

#include "gateway/control/config_backends.h"
#include "gateway/control/config_keys.h"
#include "gateway/control/config_value.h"

static const char *const live[] = {
	"auth.patience",
	"domains",
	"limits.client_connections",
	"limits.client_connections_crowded",
	"limits.data_rate",
	"limits.data_timeout",
	"limits.drain",
	"limits.errors",
	"limits.idle_timeout",
	"limits.mails_per_connection",
	"limits.message_size",
	"limits.odd_end_timeout",
	"limits.recipients",
	"limits.refuse_size",
	"log.level",
	"lcores.poll",
	"networks",
	"policy.bare_lf",
	"policy.bare_lf_keep_networks",
	"policy.dmarc.on_reject",
	"policy.forwarders",
	"policy.multiple_from",
	"policy.nul",
	"policy.spf.fail",
	"policy.trusted_sealers",
	"postmaster",
	"recipients.file",
};

const unsigned config_reload_n_live = sizeof(live) / sizeof(live[0]);

bool config_reload_is_live(const char *path)
{
	for (size_t i = 0; i < config_reload_n_live; i++)
		if (strcmp(live[i], path) == 0)
			return true;
	return false;
}

/* --- values -------------------------------------------------------------------------------------
 */

static size_t size_of(enum config_type type)
{
	switch (type) {
	case CONFIG_NUMBER:
	case CONFIG_SIZE32:
	case CONFIG_SECONDS:
	case CONFIG_MILLIS: return sizeof(uint32_t);
	case CONFIG_SIZE: return sizeof(uint64_t);
	case CONFIG_BOOL: return sizeof(bool);
	case CONFIG_CHOICE: return sizeof(int);
	case CONFIG_STRING:
	case CONFIG_PATH:
	case CONFIG_LIST: break;
	}
	return 0;
}

static bool same_listen(const struct config_listen *a, const struct config_listen *b)
{
	return strcmp(a->device, b->device) == 0 && a->n_addresses == b->n_addresses &&
	       memcmp(a->addresses, b->addresses, a->n_addresses * sizeof(a->addresses[0])) == 0 &&
	       ip_addr_eq(&a->gateway4, &b->gateway4) && ip_addr_eq(&a->gateway6, &b->gateway6) &&
	       a->n_ports == b->n_ports &&
	       memcmp(a->ports, b->ports, a->n_ports * sizeof(a->ports[0])) == 0;
}

static bool same_listens(const struct config *a, const struct config *b)
{
	if (a->n_listen != b->n_listen)
		return false;
	for (unsigned i = 0; i < a->n_listen; i++)
		if (!same_listen(&a->listen[i], &b->listen[i]))
			return false;
	return true;
}

static bool same_forward(const struct config *a, const struct config *b)
{
	if (a->dns.n_forward != b->dns.n_forward)
		return false;
	for (unsigned i = 0; i < a->dns.n_forward; i++)
		if (!config_text_same(a->dns.forward[i], b->dns.forward[i]))
			return false;
	return true;
}

static bool same_backends(const struct config *a, const struct config *b)
{
	if (a->delivery.n_backends != b->delivery.n_backends)
		return false;
	for (unsigned i = 0; i < a->delivery.n_backends; i++)
		if (!config_backend_same(&a->delivery.backends[i], &b->delivery.backends[i]))
			return false;
	return true;
}

static bool same_list(enum config_list list, const struct config *a, const struct config *b)
{
	switch (list) {
	case CONFIG_LIST_LISTEN: return same_listens(a, b);
	case CONFIG_LIST_FORWARD: return same_forward(a, b);
	case CONFIG_LIST_BACKENDS: return same_backends(a, b);
	case CONFIG_LIST_NETWORKS:
	case CONFIG_LIST_DOMAINS:
	case CONFIG_LIST_SEALERS:
	case CONFIG_LIST_NONE: break; /* live */
	}
	return true;
}

static bool same(const struct config_key *key, const struct config *a, const struct config *b)
{
	const char *at_a = (const char *)a + key->offset, *at_b = (const char *)b + key->offset;

	if (key->type == CONFIG_LIST)
		return same_list(key->list, a, b);
	if (key->type == CONFIG_STRING || key->type == CONFIG_PATH)
		return config_text_same(*(const char *const *)at_a, *(const char *const *)at_b);
	return memcmp(at_a, at_b, size_of(key->type)) == 0;
}

unsigned config_reload_differences(const struct config *old, const struct config *new,
	void (*fn)(void *arg, const char *path), void *arg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (config_reload_is_live(key->path) || same(key, old, new))
			continue;
		fn(arg, key->path);
		n++;
	}
	return n;
}
