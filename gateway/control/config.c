#include "gateway/control/config.h"

#include "gateway/control/config_priv.h"
#include "gateway/control/config_value.h"
#include "spool/relay/relay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- memory: blocks on a list, gone with the configuration ---------------------------------------
 */

struct block {
	struct block *next;
	_Alignas(16) char data[];
};

struct memory {
	struct block *blocks;
	char folder[4096]; /* of the file, with a final slash; empty for the current one */
};

void *config_alloc(struct config *config, size_t size)
{
	struct memory *memory = config->memory;
	struct block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		return NULL;
	block->next = memory->blocks;
	memory->blocks = block;
	return block->data;
}

const char *config_own(struct config *config, struct bytes text, bool is_path)
{
	const struct memory *memory = config->memory;
	const char *folder = is_path && text.len > 0 && text.data[0] != '/' ? memory->folder : "";
	size_t size = strlen(folder) + text.len + 1;
	char *copy = config_alloc(config, size);

	if (copy)
		snprintf(copy, size, "%s%.*s", folder, (int)text.len, (const char *)text.data);
	return copy;
}

void config_free(struct config *config)
{
	struct memory *memory = config ? config->memory : NULL;

	if (!config)
		return;
	for (struct block *block = memory ? memory->blocks : NULL, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	free(memory);
	free(config);
}

static struct config *config_new(const char *path)
{
	struct config *config = calloc(1, sizeof(*config));
	struct memory *memory = config ? calloc(1, sizeof(*memory)) : NULL;
	const char *slash = strrchr(path, '/');

	if (!memory) {
		free(config);
		return NULL;
	}
	if (slash && (size_t)(slash - path) < sizeof(memory->folder) - 1)
		memcpy(memory->folder, path, (size_t)(slash - path) + 1);
	config->memory = memory;
	return config;
}

/* --- errors -------------------------------------------------------------------------------------
 */

static struct config_error *next_error(struct config_errors *errors)
{
	if (errors->n < CONFIG_MAX_ERRORS)
		return &errors->error[errors->n++];
	errors->more++;
	return NULL;
}

void config_fail(struct config_reader *reader, const yaml_node_t *node, const char *format, ...)
{
	struct config_error *error = next_error(reader->errors);
	struct text text;
	va_list args;

	if (!error)
		return;
	error->line = node ? (unsigned)node->start_mark.line + 1 : 0;
	error->column = node ? (unsigned)node->start_mark.column + 1 : 0;
	text_init(&text, error->text, sizeof(error->text));
	if (node && node->type == YAML_SCALAR_NODE)
		text_printf(&text, "%.*s: ",
			(int)(node->data.scalar.length < 80 ? node->data.scalar.length : 80),
			(const char *)node->data.scalar.value);
	va_start(args, format);
	text_vprintf(&text, format, args);
	va_end(args);
	text_str(&text);
}

bool config_want_scalar(
	struct config_reader *reader, const yaml_node_t *node, const char *what, struct bytes *text)
{
	if (node->type == YAML_SCALAR_NODE) {
		*text = config_scalar(node);
		return true;
	}
	config_fail(reader, node, "must be %s", what);
	return false;
}

/* --- keys ---------------------------------------------------------------------------------------
 */

#define PATH_TEXT_MAX 128

static const struct config_key *find_key(const char *path)
{
	for (unsigned i = 0; i < config_n_keys; i++)
		if (strcmp(config_keys[i].path, path) == 0)
			return &config_keys[i];
	return NULL;
}

static bool is_section(const char *path)
{
	size_t len = strlen(path);

	for (unsigned i = 0; i < config_n_keys; i++)
		if (strncmp(config_keys[i].path, path, len) == 0 && config_keys[i].path[len] == '.')
			return true;
	return false;
}

/* The names known below a section, for the error about one that is not. */
static void put_known(struct text *out, const char *section)
{
	size_t len = strlen(section);
	struct bytes last = {0};

	for (unsigned i = 0; i < config_n_keys; i++) {
		const char *path = config_keys[i].path;
		struct bytes name;

		if (len > 0 && (strncmp(path, section, len) != 0 || path[len] != '.'))
			continue;
		name = bytes_str(path + (len ? len + 1 : 0));
		name = bytes_slice(name, 0, bytes_find(name, '.'));
		if (bytes_eq(name, last))
			continue;
		text_printf(out, "%s%.*s", last.len ? ", " : "", BYTES_FMT(name));
		last = name;
	}
}

static void fail_unknown(struct config_reader *reader, const yaml_node_t *name, const char *section)
{
	char buffer[512];
	struct text known;

	text_init(&known, buffer, sizeof(buffer));
	put_known(&known, section);
	config_fail(reader, name, "is unknown%s%s; known here: %s", section[0] ? " in " : "",
		section, text_str(&known));
}

static void read_scalar(
	struct config_reader *reader, const struct config_key *key, const yaml_node_t *node)
{
	char buffer[200];
	struct bytes value;
	struct text why;

	text_init(&why, buffer, sizeof(buffer));
	if (!config_want_scalar(reader, node, "one value, not a list or section", &value))
		return;
	if (!config_value_set(key, value, reader->config, config_own, &why))
		config_fail(reader, node, "%s %s", key->path, text_str(&why));
}

static void read_key(struct config_reader *reader, const struct config_key *key, yaml_node_t *name,
	yaml_node_t *value)
{
	bool *seen = &reader->seen[key - config_keys];

	if (*seen)
		config_fail(reader, name, "stands here for the second time: keep one");
	else if (key->type == CONFIG_LIST)
		config_list_read(reader, key, value);
	else
		read_scalar(reader, key, value);
	*seen = true;
}

/* Sections nest two deep at most, by the table. */
static void read_section(struct config_reader *reader, yaml_node_t *node, const char *section)
{
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *name = yaml_document_get_node(reader->doc, pair->key);
		yaml_node_t *value = yaml_document_get_node(reader->doc, pair->value);
		char path[PATH_TEXT_MAX];
		const struct config_key *key;

		if (name->type != YAML_SCALAR_NODE) {
			config_fail(reader, name, "must be the name of a key");
			continue;
		}
		snprintf(path, sizeof(path), "%s%s%s", section, section[0] ? "." : "",
			(const char *)name->data.scalar.value);
		key = find_key(path);
		if (key)
			read_key(reader, key, name, value);
		else if (!is_section(path))
			fail_unknown(reader, name, section);
		else if (value->type == YAML_MAPPING_NODE)
			read_section(reader, value, path);
		else if (value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0)
			continue; /* a heading whose keys are all commented out */
		else
			config_fail(reader, value, "%s must be a section of keys", path);
	}
}

/* --- defaults and what no single key shows ------------------------------------------------------
 */

static void set_defaults(struct config_reader *reader)
{
	char buffer[200];
	struct text why;

	text_init(&why, buffer, sizeof(buffer));
	for (unsigned i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (reader->seen[i])
			continue;
		if (key->required)
			config_fail(reader, NULL, "%s is missing: %s", key->path, key->help);
		else if (key->fallback)
			config_value_set(
				key, bytes_str(key->fallback), reader->config, config_own, &why);
	}
	if (!reader->config->authserv_id)
		reader->config->authserv_id = reader->config->hostname;
}

static bool is_our_address(const struct config *config, const char *address)
{
	const char *at = strrchr(address, '@');

	for (unsigned i = 0; at && i < config->n_domains; i++)
		if (config->domains[i] &&
			bytes_eq_nocase(bytes_str(at + 1), bytes_str(config->domains[i])))
			return true;
	return false;
}

/* Anyone can greet with a name: what relaxes a rule needs what cannot be borrowed (DESIGN §7). */
static const struct config_network *check_group(
	struct config_reader *reader, const char *key, const char *group)
{
	const struct config_network *network =
		group ? config_network_find(reader->config, group) : NULL;

	if (group && !network)
		config_fail(reader, NULL,
			"%s: no group %s in networks; what relaxes a rule must be a group of "
			"addresses, a bare name is not enough",
			key, group);
	return network;
}

static bool is_everybody(const struct ip_cidr *net)
{
	return net->prefix_len == 0 || (net->prefix_len == 96 && ip_addr_is_v4(&net->addr));
}

static void check_forwarders(struct config_reader *reader)
{
	const char *group = reader->config->policy.forwarders;
	const struct config_network *network = check_group(reader, "policy.forwarders", group);

	for (unsigned i = 0; network && i < network->n_cidrs; i++)
		if (is_everybody(&network->cidrs[i]))
			config_fail(reader, NULL,
				"policy.forwarders: the group %s holds every address", group);
}

/* A password must not go over a line that anybody can read (RFC 4954 §4). */
static void check_relay(struct config_reader *reader)
{
	const struct config *config = reader->config;

	if (config->relay.user && config->relay.tls != RELAY_TLS_REQUIRE)
		config_fail(reader, NULL,
			"relay.user: a password is only sent by TLS; set relay.tls: require");
	if (config->relay.user && !config->relay.password_file)
		config_fail(reader, NULL, "relay.user: relay.password_file is missing");
	if (config->relay.user && !config->relay.url)
		config_fail(reader, NULL, "relay.user: there is no relay.url to send it to");
}

static void check_whole(struct config_reader *reader)
{
	struct config *config = reader->config;

	if (config->postmaster && config->n_domains > 0 &&
		!is_our_address(config, config->postmaster))
		config_fail(
			reader, NULL, "postmaster: %s is in none of domains", config->postmaster);
	if (config->dns.n_forward > 0 && config->dns.zone)
		config_fail(reader, NULL, "dns: give forward or zone, not both");
	if (config->delivery.retry_max_s < config->delivery.retry_min_s)
		config_fail(reader, NULL, "delivery.retry_max is below retry_min");
	check_relay(reader);
	check_group(reader, "policy.bare_lf_keep_networks", config->policy.bare_lf_keep_networks);
	check_forwarders(reader);
	if (!config->auth.seal_key != !config->auth.seal_domain ||
		!config->auth.seal_key != !config->auth.seal_selector)
		config_fail(reader, NULL, "auth.seal: key, domain and selector go together");
}

bool config_listen_is_kernel(const struct config_listen *listen)
{
	return strcmp(listen->device, "kernel") == 0;
}

const struct config_network *config_network_find(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->n_networks; i++)
		if (config->networks[i].name && strcmp(config->networks[i].name, name) == 0)
			return &config->networks[i];
	return NULL;
}

bool config_in_network(const struct config *config, const char *name, const struct ip_addr *addr)
{
	const struct config_network *network = config_network_find(config, name);

	for (unsigned i = 0; network && i < network->n_cidrs; i++)
		if (ip_cidr_match(&network->cidrs[i], addr))
			return true;
	return false;
}

/* --- the file -----------------------------------------------------------------------------------
 */

static void read_document(struct config_reader *reader)
{
	yaml_node_t *root = yaml_document_get_root_node(reader->doc);

	if (root && root->type != YAML_MAPPING_NODE)
		config_fail(reader, root, "the file must be a mapping of keys: `hostname: ...`");
	else if (root)
		read_section(reader, root, "");
	set_defaults(reader);
	check_whole(reader);
}

static void fail_syntax(struct config_errors *errors, const yaml_parser_t *parser)
{
	struct config_error *error = next_error(errors);

	error->line = (unsigned)parser->problem_mark.line + 1;
	error->column = (unsigned)parser->problem_mark.column + 1;
	snprintf(error->text, sizeof(error->text), "not YAML: %s%s%s",
		parser->problem ? parser->problem : "?", parser->context ? ", " : "",
		parser->context ? parser->context : "");
}

static int read_yaml(FILE *in, struct config *config, struct config_errors *errors)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	bool *seen = config_alloc(config, config_n_keys * sizeof(*seen));
	struct config_reader reader = {&doc, config, errors, seen};

	if (!seen || !yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_file(&parser, in);
	if (yaml_parser_load(&parser, &doc)) {
		read_document(&reader);
		yaml_document_delete(&doc);
	} else {
		fail_syntax(errors, &parser);
	}
	yaml_parser_delete(&parser);
	return errors->n ? -EINVAL : 0;
}

int config_load(const char *path, struct config **out, struct config_errors *errors)
{
	struct config *config = config_new(path);
	FILE *in = fopen(path, "re");
	int error;

	*errors = (struct config_errors){0};
	if (!config || !in) {
		error = in ? -ENOMEM : -errno;
		snprintf(next_error(errors)->text, sizeof(errors->error[0].text), "%s",
			strerror(-error));
	} else {
		error = read_yaml(in, config, errors);
	}
	if (in)
		fclose(in);
	if (error) {
		config_free(config);
		return error;
	}
	*out = config;
	return 0;
}
