#include "gateway/control/config_backends.h"

#include "gateway/control/config_value.h"
#include "gateway/tls/tls_client.h"

/* The elements of delivery.backends: each a server, and how it is talked to. */

#define CONNECTIONS_DEFAULT 4u
#define CONNECTIONS_MAX     256u

const char *const config_backend_tls_words[] = {
#define X(id, word) word,
	CONFIG_BACKEND_TLS(X)
#undef X
};

#define N_TLS_WORDS (sizeof(config_backend_tls_words) / sizeof(config_backend_tls_words[0]))

struct reading {
	struct config_reader *reader;
	struct config_backend *backend;
};

static void read_lmtp(const struct reading *r, yaml_node_t *value, struct bytes text)
{
	if (!bytes_starts(text, BYTES("unix:/")) && !bytes_starts(text, BYTES("tcp:")))
		config_fail(r->reader, value, "must be unix:/PATH or tcp:HOST:PORT");
	r->backend->lmtp = config_own(r->reader->config, text, false);
}

static void read_connections(const struct reading *r, yaml_node_t *value, struct bytes text)
{
	uint64_t n;

	if (bytes_to_u64(text, CONNECTIONS_MAX, &n) != 0 || n == 0)
		config_fail(r->reader, value, "must lie between 1 and %u", CONNECTIONS_MAX);
	else
		r->backend->connections = (unsigned)n;
}

static void read_tls(const struct reading *r, yaml_node_t *value, struct bytes text)
{
	for (unsigned i = 0; i < N_TLS_WORDS; i++)
		if (bytes_eq(text, bytes_str(config_backend_tls_words[i]))) {
			r->backend->tls = (enum config_backend_tls)i;
			return;
		}
	config_fail(r->reader, value, "must be one of: off, starttls, implicit");
}

static void read_ca_file(const struct reading *r, yaml_node_t *value, struct bytes text)
{
	(void)value;
	r->backend->tls_ca_file = config_own(r->reader->config, text, true);
}

static void read_name(const struct reading *r, yaml_node_t *value, struct bytes text)
{
	if (text.len == 0)
		config_fail(r->reader, value, "must be a host name or an address");
	r->backend->tls_name = config_own(r->reader->config, text, false);
}

static void read_pin(const struct reading *r, yaml_node_t *value, struct bytes text)
{
	uint8_t pin[TLS_CLIENT_PIN_OCTETS];

	if (!tls_client_pin_parse(text, pin))
		config_fail(r->reader, value,
			"is no pin: write the SHA-256 of the server's public key, 64 hexadecimal "
			"digits");
	r->backend->tls_pin = config_own(r->reader->config, text, false);
}

static const struct {
	const char *name;
	void (*read)(const struct reading *r, yaml_node_t *value, struct bytes text);
} keys[] = {
	{"lmtp", read_lmtp},
	{"connections", read_connections},
	{"tls", read_tls},
	{"tls_ca_file", read_ca_file},
	{"tls_name", read_name},
	{"tls_pin", read_pin},
};

static void read_key(const struct reading *r, yaml_node_t *name, yaml_node_t *value)
{
	struct bytes text;

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!bytes_eq(config_scalar(name), bytes_str(keys[i].name)))
			continue;
		if (config_want_scalar(r->reader, value, "a text or number", &text))
			keys[i].read(r, value, text);
		return;
	}
	config_fail(r->reader, name,
		"is unknown: lmtp, connections, tls, tls_ca_file, tls_name and tls_pin are known "
		"here");
}

/* The host of tcp:HOST:PORT, which its certificate is to name. */
static struct bytes host_of(const char *lmtp)
{
	struct bytes text = bytes_from(bytes_str(lmtp), 4);
	struct bytes host = bytes_slice(text, 0, bytes_rfind(text, ':'));

	if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		return bytes_slice(host, 1, host.len - 2);
	return host;
}

/* What the keys are together. */
static void check(const struct reading *r, yaml_node_t *entry)
{
	struct config_backend *b = r->backend;

	if (!b->lmtp) {
		config_fail(r->reader, entry, "has no lmtp: ADDRESS");
	} else if (b->tls == CONFIG_BACKEND_TLS_OFF) {
		if (b->tls_ca_file || b->tls_name || b->tls_pin)
			config_fail(r->reader, entry,
				"says how TLS is checked, but has no tls: starttls or implicit");
	} else if (!bytes_starts(bytes_str(b->lmtp), BYTES("tcp:"))) {
		config_fail(r->reader, entry, "has tls, which is for tcp:HOST:PORT alone");
	} else if (!b->tls_name) {
		b->tls_name = config_own(r->reader->config, host_of(b->lmtp), false);
	}
}

void config_backend_read(
	struct config_reader *reader, yaml_node_t *entry, struct config_backend *backend)
{
	struct reading r = {reader, backend};

	backend->connections = CONNECTIONS_DEFAULT;
	if (entry->type != YAML_MAPPING_NODE) {
		config_fail(reader, entry, "must be a mapping: lmtp: ADDRESS");
		return;
	}
	for (yaml_node_pair_t *pair = entry->data.mapping.pairs.start;
		pair < entry->data.mapping.pairs.top; pair++)
		read_key(&r, yaml_document_get_node(reader->doc, pair->key),
			yaml_document_get_node(reader->doc, pair->value));
	check(&r, entry);
}

void config_backend_print(const struct config_backend *b, FILE *out)
{
	fprintf(out, "    - lmtp: %s\n      connections: %u\n", b->lmtp, b->connections);
	if (b->tls == CONFIG_BACKEND_TLS_OFF)
		return;
	fprintf(out, "      tls: %s\n      tls_name: \"%s\"\n", config_backend_tls_words[b->tls],
		b->tls_name);
	if (b->tls_ca_file)
		fprintf(out, "      tls_ca_file: %s\n", b->tls_ca_file);
	if (b->tls_pin)
		fprintf(out, "      tls_pin: \"%s\"\n", b->tls_pin);
}

bool config_backend_same(const struct config_backend *a, const struct config_backend *b)
{
	return config_text_same(a->lmtp, b->lmtp) && a->connections == b->connections &&
	       a->tls == b->tls && config_text_same(a->tls_ca_file, b->tls_ca_file) &&
	       config_text_same(a->tls_name, b->tls_name) &&
	       config_text_same(a->tls_pin, b->tls_pin);
}
