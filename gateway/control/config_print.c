#include "gateway/control/config_print.h"

#include "gateway/control/config_backends.h"
#include "gateway/control/config_keys.h"
#include "gateway/control/config_reload.h"
#include "gateway/control/config_value.h"

/* --- sections: a path "a.b.c" is three lines deep -----------------------------------------------
 */

struct printer {
	FILE *out;
	const char *comment; /* "" or "#" before every line of a key */
	char section[64];    /* the one open */
};

static unsigned depth_of(const char *path)
{
	unsigned depth = 0;

	for (; *path; path++)
		depth += *path == '.';
	return depth;
}

/* Print the headings of sections that `path` is in and the last key was not. */
static void open_sections(struct printer *printer, const char *path)
{
	for (const char *dot = strchr(path, '.'), *start = path; dot;
		start = dot + 1, dot = strchr(dot + 1, '.')) {
		size_t len = (size_t)(dot - path) + 1;

		if (strncmp(printer->section, path, len) == 0)
			continue;
		snprintf(printer->section, sizeof(printer->section), "%.*s", (int)len, path);
		for (const char *p = path; p < start; p++)
			if (*p == '.')
				fputs("  ", printer->out);
		fprintf(printer->out, "%.*s:\n", (int)(dot - start), start);
	}
}

static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static void indent(const struct printer *printer, const char *path)
{
	for (unsigned i = 0; i < depth_of(path); i++)
		fputs("  ", printer->out);
	fputs(printer->comment, printer->out);
}

/* --- lists --------------------------------------------------------------------------------------
 */

static void print_cidrs(const struct ip_cidr *cidrs, unsigned n, FILE *out)
{
	char text[IP_CIDR_TEXT_MAX];

	fputc('[', out);
	for (unsigned i = 0; i < n; i++) {
		ip_cidr_format(&cidrs[i], text);
		fprintf(out, "%s\"%s\"", i ? ", " : "", text);
	}
	fputs("]\n", out);
}

static void print_names(const char *const *names, unsigned n, FILE *out)
{
	fputc('[', out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? ", " : "", names[i]);
	fputs("]\n", out);
}

static void print_gateways(const struct config_listen *listen, FILE *out)
{
	static const struct ip_addr none;
	const struct ip_addr *gateways[] = {&listen->gateway4, &listen->gateway6};
	char text[IP_ADDR_TEXT_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (ip_addr_eq(gateways[i], &none))
			continue;
		ip_addr_format(gateways[i], text);
		fprintf(out, "%s\"%s\"", n++ ? ", " : "    gateway: [", text);
	}
	if (n)
		fputs("]\n", out);
}

static void print_listen(const struct config *config, FILE *out)
{
	for (unsigned i = 0; i < config->n_listen; i++) {
		const struct config_listen *listen = &config->listen[i];

		fprintf(out, "  - device: %s\n    addresses: ", listen->device);
		print_cidrs(listen->addresses, listen->n_addresses, out);
		print_gateways(listen, out);
		fputs("    ports: [", out);
		for (unsigned p = 0; p < listen->n_ports; p++)
			fprintf(out, "%s%u", p ? ", " : "", listen->ports[p]);
		fputs("]\n", out);
	}
}

static unsigned list_length(const struct config *config, enum config_list list)
{
	switch (list) {
	case CONFIG_LIST_NETWORKS: return config->n_networks;
	case CONFIG_LIST_LISTEN: return config->n_listen;
	case CONFIG_LIST_DOMAINS: return config->n_domains;
	case CONFIG_LIST_FORWARD: return config->dns.n_forward;
	case CONFIG_LIST_BACKENDS: return config->delivery.n_backends;
	case CONFIG_LIST_SEALERS: return config->policy.n_sealers;
	case CONFIG_LIST_NONE: break;
	}
	return 0;
}

static void print_list(const struct config *config, enum config_list list, FILE *out)
{
	switch (list) {
	case CONFIG_LIST_NETWORKS:
		fputc('\n', out);
		for (unsigned i = 0; i < config->n_networks; i++) {
			fprintf(out, "  %s: ", config->networks[i].name);
			print_cidrs(config->networks[i].cidrs, config->networks[i].n_cidrs, out);
		}
		break;
	case CONFIG_LIST_LISTEN:
		fputc('\n', out);
		print_listen(config, out);
		break;
	case CONFIG_LIST_DOMAINS:
		print_names((const char *const *)config->domains, config->n_domains, out);
		break;
	case CONFIG_LIST_SEALERS:
		print_names(
			(const char *const *)config->policy.sealers, config->policy.n_sealers, out);
		break;
	case CONFIG_LIST_FORWARD:
		print_names(config->dns.forward, config->dns.n_forward, out);
		break;
	case CONFIG_LIST_BACKENDS:
		fputc('\n', out);
		for (unsigned i = 0; i < config->delivery.n_backends; i++)
			config_backend_print(&config->delivery.backends[i], out);
		break;
	case CONFIG_LIST_NONE: break;
	}
}

/* --- postern config -----------------------------------------------------------------------------
 */

static void print_key(struct printer *printer, const struct config_key *key,
	const struct config *config, bool only_changed)
{
	char buffer[4096];
	struct text value;

	text_init(&value, buffer, sizeof(buffer));
	if (key->type == CONFIG_LIST) {
		if (list_length(config, key->list) == 0)
			return;
	} else {
		config_value_put(key, config, &value);
		if (value.len == 0 ||
			(only_changed && key->fallback &&
				bytes_eq(text_bytes(&value), bytes_str(key->fallback))))
			return;
	}
	open_sections(printer, key->path);
	indent(printer, key->path);
	fprintf(printer->out, "%s: ", last_name(key->path));
	if (key->type == CONFIG_LIST)
		print_list(config, key->list, printer->out);
	else
		fprintf(printer->out, "%s\n", text_str(&value));
}

void config_print(const struct config *config, bool only_changed, FILE *out)
{
	struct printer printer = {.out = out, .comment = ""};

	for (unsigned i = 0; i < config_n_keys; i++)
		print_key(&printer, &config_keys[i], config, only_changed);
}

/* --- the sample file ----------------------------------------------------------------------------
 */

static void print_choices(const struct config_key *key, FILE *out)
{
	for (unsigned i = 0; key->choices && key->choices[i]; i++)
		fprintf(out, "%s%s", i ? ", " : " One of: ", key->choices[i]);
	if (key->choices)
		fputc('.', out);
}

static void print_example(struct printer *printer, const struct config_key *key)
{
	for (struct bytes rest = bytes_str(key->example), line; bytes_split(&rest, '\n', &line);) {
		if (line.len == 0)
			continue;
		printer->comment = key->required ? "" : "#";
		indent(printer, key->path);
		fprintf(printer->out, "%.*s\n", BYTES_FMT(line));
	}
}

static void print_sample_key(struct printer *printer, const struct config_key *key)
{
	fputc('\n', printer->out);
	open_sections(printer, key->path);
	printer->comment = "";
	indent(printer, key->path);
	fprintf(printer->out, "# %s", key->help);
	print_choices(key, printer->out);
	fputc('\n', printer->out);
	if (key->example) {
		print_example(printer, key);
		return;
	}
	printer->comment = "#";
	indent(printer, key->path);
	fprintf(printer->out, "%s: %s\n", last_name(key->path), key->fallback ? key->fallback : "");
}

void config_print_sample(FILE *out)
{
	struct printer printer = {.out = out, .comment = ""};

	fputs("# Configuration of Postern: every key with its default. Uncomment what you "
	      "change.\n",
		out);
	for (unsigned i = 0; i < config_n_keys; i++)
		print_sample_key(&printer, &config_keys[i]);
}

/* --- the manual page ----------------------------------------------------------------------------
 */

/* A hyphen that is a hyphen, and no line that looks like a request. */
static void put_roff(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '-')
			fputc('\\', out);
		fputc(*text, out);
	}
}

void config_print_man(FILE *out)
{
	for (unsigned i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		fputs(".TP\n.B ", out);
		put_roff(key->path, out);
		fputc('\n', out);
		put_roff(key->help, out);
		print_choices(key, out);
		if (key->required)
			fputs(" Required.", out);
		if (config_reload_is_live(key->path))
			fputs(" Reloaded by SIGHUP.", out);
		if (key->fallback) {
			fputs(" Default: ", out);
			put_roff(key->fallback, out);
			fputc('.', out);
		}
		fputc('\n', out);
	}
}
