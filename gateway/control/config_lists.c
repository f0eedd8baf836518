#include "gateway/control/config_backends.h"
#include "gateway/smtp/smtp_path.h"

/*
 * The keys whose values are lists. Each element is read and checked where it stands, so an error
 * points at it.
 */

static bool want(
	struct config_reader *reader, yaml_node_t *node, yaml_node_type_t type, const char *what)
{
	if (node->type == type)
		return true;
	config_fail(reader, node, "must be %s", what);
	return false;
}

static unsigned length(const yaml_node_t *sequence)
{
	return (unsigned)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

static yaml_node_t *item(struct config_reader *reader, const yaml_node_t *sequence, unsigned i)
{
	return yaml_document_get_node(reader->doc, sequence->data.sequence.items.start[i]);
}

/* A sequence of at most `max`, or 0 elements with an error noted. */
static unsigned want_list(
	struct config_reader *reader, yaml_node_t *node, unsigned max, const char *what)
{
	if (!want(reader, node, YAML_SEQUENCE_NODE, what))
		return 0;
	if (length(node) == 0)
		config_fail(reader, node, "is empty: must be %s", what);
	if (length(node) <= max)
		return length(node);
	config_fail(reader, node, "has %u elements: at most %u are taken", length(node), max);
	return 0;
}

/* --- networks -----------------------------------------------------------------------------------
 */

static void read_network(struct config_reader *reader, yaml_node_t *name, yaml_node_t *list)
{
	struct config *config = reader->config;
	struct config_network *network = &config->networks[config->n_networks];
	unsigned n = want_list(reader, list, 4096, "a list of networks such as [192.0.2.0/24]");
	struct bytes word;

	if (!config_want_scalar(reader, name, "the name of a group of networks", &word))
		return;
	network->name = config_own(config, word, false);
	network->cidrs = config_alloc(config, n * sizeof(*network->cidrs));
	for (unsigned i = 0; network->cidrs && i < n; i++) {
		struct bytes text;

		if (!config_want_scalar(reader, item(reader, list, i), "a network", &text))
			continue;
		if (ip_cidr_parse(text, false, &network->cidrs[i]) != 0)
			config_fail(reader, item(reader, list, i),
				"is no network: write ADDRESS or ADDRESS/LENGTH");
		network->n_cidrs++;
	}
	config->n_networks++;
}

static void read_networks(struct config_reader *reader, yaml_node_t *node)
{
	if (!want(reader, node, YAML_MAPPING_NODE, "a mapping of names to lists of networks"))
		return;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top; pair++) {
		if (reader->config->n_networks == CONFIG_MAX_NETWORKS) {
			config_fail(reader, node, "has more than %u groups", CONFIG_MAX_NETWORKS);
			return;
		}
		read_network(reader, yaml_document_get_node(reader->doc, pair->key),
			yaml_document_get_node(reader->doc, pair->value));
	}
}

/* --- listen -------------------------------------------------------------------------------------
 */

static void read_address_list(
	struct config_reader *reader, yaml_node_t *node, struct config_listen *listen)
{
	unsigned n = want_list(
		reader, node, CONFIG_MAX_ADDRESSES, "a list of addresses such as [192.0.2.2/24]");

	for (unsigned i = 0; i < n; i++) {
		yaml_node_t *at = item(reader, node, i);
		struct bytes text, address;
		struct ip_cidr *cidr = &listen->addresses[listen->n_addresses];

		if (!config_want_scalar(reader, at, "an address", &text))
			continue;
		address = bytes_slice(text, 0, bytes_find(text, '/'));
		/* Both: the network's length, and the address with its host bits. */
		if (ip_cidr_parse(text, false, cidr) != 0 ||
			ip_addr_parse(address, &cidr->addr) != 0)
			config_fail(reader, at, "is no address: write ADDRESS/LENGTH");
		listen->n_addresses++;
	}
}

static void read_port_list(
	struct config_reader *reader, yaml_node_t *node, struct config_listen *listen)
{
	unsigned n = want_list(reader, node, CONFIG_MAX_PORTS, "a list of ports such as [25]");

	for (unsigned i = 0; i < n; i++) {
		struct bytes text;
		uint64_t port = 0;

		if (!config_want_scalar(reader, item(reader, node, i), "a port", &text))
			continue;
		if (bytes_to_u64(text, 65535, &port) != 0 || port == 0)
			config_fail(reader, item(reader, node, i), "is no port: 1 to 65535");
		listen->ports[listen->n_ports++] = (uint16_t)port;
	}
}

static void read_gateway(
	struct config_reader *reader, yaml_node_t *node, struct config_listen *listen)
{
	struct bytes rest, text;

	if (node->type == YAML_SEQUENCE_NODE) {
		unsigned n = want_list(reader, node, 2, "one gateway, or one of each family");

		for (unsigned i = 0; i < n; i++)
			read_gateway(reader, item(reader, node, i), listen);
		return;
	}
	if (!config_want_scalar(reader, node, "an address", &rest))
		return;
	text = bytes_trim(rest);
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr) != 0)
		config_fail(reader, node, "is no address");
	else if (ip_addr_is_v4(&addr))
		listen->gateway4 = addr;
	else
		listen->gateway6 = addr;
}

static bool device_is_known(struct bytes device)
{
	static const struct {
		struct bytes kind;
		bool argument;
	} kinds[] = {
		{BYTES("tap"), false},
		{BYTES("kernel"), false},
		{BYTES("tap:"), true},
		{BYTES("af_packet:"), true},
		{BYTES("af_xdp:"), true},
		{BYTES("af_xdp-shared:"), true},
		{BYTES("memif:"), true},
		{BYTES("pci:"), true},
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].argument ? bytes_starts(device, kinds[i].kind) &&
						device.len > kinds[i].kind.len
				      : bytes_eq(device, kinds[i].kind))
			return true;
	}
	return false;
}

static void read_device(
	struct config_reader *reader, yaml_node_t *node, struct config_listen *listen)
{
	struct bytes text;

	if (!config_want_scalar(reader, node, "a device", &text))
		return;
	if (!device_is_known(text))
		config_fail(reader, node,
			"is no device: write tap, tap:NAME, af_packet:INTERFACE, af_xdp:INTERFACE, "
			"af_xdp-shared:INTERFACE, memif:server,PATH, pci:ADDRESS or kernel");
	listen->device = config_own(reader->config, text, false);
}

static const struct {
	const char *name;
	void (*read)(struct config_reader *reader, yaml_node_t *node, struct config_listen *listen);
} listen_keys[] = {
	{"device", read_device},
	{"addresses", read_address_list},
	{"gateway", read_gateway},
	{"ports", read_port_list},
};

static void read_listen_key(struct config_reader *reader, yaml_node_t *name, yaml_node_t *value,
	struct config_listen *listen)
{
	for (unsigned i = 0; i < sizeof(listen_keys) / sizeof(listen_keys[0]); i++) {
		if (bytes_eq(config_scalar(name), bytes_str(listen_keys[i].name))) {
			listen_keys[i].read(reader, value, listen);
			return;
		}
	}
	config_fail(
		reader, name, "is unknown: device, addresses, gateway and ports are known here");
}

static void read_listen(struct config_reader *reader, yaml_node_t *node)
{
	struct config *config = reader->config;
	unsigned n = want_list(reader, node, CONFIG_MAX_LISTEN, "a list of devices");

	for (unsigned i = 0; i < n; i++) {
		yaml_node_t *entry = item(reader, node, i);
		struct config_listen *listen = &config->listen[config->n_listen++];

		if (!want(reader, entry, YAML_MAPPING_NODE, "device, addresses, gateway, ports"))
			continue;
		for (yaml_node_pair_t *pair = entry->data.mapping.pairs.start;
			pair < entry->data.mapping.pairs.top; pair++)
			read_listen_key(reader, yaml_document_get_node(reader->doc, pair->key),
				yaml_document_get_node(reader->doc, pair->value), listen);
		if (!listen->device)
			config_fail(reader, entry, "has no device");
		if (listen->n_addresses == 0)
			config_fail(reader, entry, "has no addresses");
		if (listen->n_ports == 0)
			listen->ports[listen->n_ports++] = 25;
	}
}

/* --- domains, forward, backends ------------------------------------------------------------------
 */

/* A list of at most `max` names; each may be looked at by `check`. */
static unsigned read_names(struct config_reader *reader, yaml_node_t *node, unsigned max,
	void (*check)(struct config_reader *reader, yaml_node_t *node, struct bytes name),
	const char ***names)
{
	struct config *config = reader->config;
	unsigned n = want_list(reader, node, max, "a list of domain names"), taken = 0;

	*names = config_alloc(config, n * sizeof(**names));
	for (unsigned i = 0; *names && i < n; i++) {
		yaml_node_t *at = item(reader, node, i);
		struct bytes text;

		if (!config_want_scalar(reader, at, "a domain name", &text))
			continue;
		if (text.len == 0 || text.data[0] == '[' || !smtp_domain_valid(text))
			config_fail(reader, at,
				"is no domain name (write internationalized names as A-labels, "
				"xn--...)");
		else if (check)
			check(reader, at, text);
		(*names)[taken++] = config_own(config, text, false);
	}
	return taken;
}

static void read_domains(struct config_reader *reader, yaml_node_t *node)
{
	struct config *config = reader->config;

	config->n_domains = read_names(reader, node, CONFIG_MAX_DOMAINS, NULL, &config->domains);
}

/* It is compared with d= as a whole, and stands for what one organization has signed. */
static void check_sealer(struct config_reader *reader, yaml_node_t *node, struct bytes name)
{
	if (bytes_find(name, '.') == BYTES_NPOS)
		config_fail(reader, node,
			"is a top-level domain: name the domain that seals, as in d= of its "
			"ARC-Seal");
}

static void read_sealers(struct config_reader *reader, yaml_node_t *node)
{
	struct config *config = reader->config;

	config->policy.n_sealers =
		read_names(reader, node, CONFIG_MAX_SEALERS, check_sealer, &config->policy.sealers);
}

static bool forward_is_valid(struct bytes text)
{
	size_t at = bytes_find(text, '@');
	struct ip_addr addr;
	uint64_t port;

	if (at != BYTES_NPOS && bytes_to_u64(bytes_from(text, at + 1), 65535, &port) != 0)
		return false;
	return ip_addr_parse(bytes_slice(text, 0, at), &addr) == 0;
}

static void read_forward(struct config_reader *reader, yaml_node_t *node)
{
	struct config *config = reader->config;
	unsigned n = want_list(reader, node, CONFIG_MAX_FORWARD, "a list of resolvers");

	for (unsigned i = 0; i < n; i++) {
		struct bytes text;

		if (!config_want_scalar(reader, item(reader, node, i), "a resolver", &text))
			continue;
		if (!forward_is_valid(text))
			config_fail(reader, item(reader, node, i),
				"is no resolver: write ADDRESS or ADDRESS@PORT");
		config->dns.forward[config->dns.n_forward++] = config_own(config, text, false);
	}
}

static void read_backends(struct config_reader *reader, yaml_node_t *node)
{
	struct config *config = reader->config;
	unsigned n = want_list(reader, node, CONFIG_MAX_BACKENDS, "a list of backends");

	for (unsigned i = 0; i < n; i++)
		config_backend_read(reader, item(reader, node, i),
			&config->delivery.backends[config->delivery.n_backends++]);
}

void config_list_read(struct config_reader *reader, const struct config_key *key, yaml_node_t *node)
{
	switch (key->list) {
	case CONFIG_LIST_NETWORKS: read_networks(reader, node); break;
	case CONFIG_LIST_LISTEN: read_listen(reader, node); break;
	case CONFIG_LIST_DOMAINS: read_domains(reader, node); break;
	case CONFIG_LIST_FORWARD: read_forward(reader, node); break;
	case CONFIG_LIST_BACKENDS: read_backends(reader, node); break;
	case CONFIG_LIST_SEALERS: read_sealers(reader, node); break;
	case CONFIG_LIST_NONE: break;
	}
}
