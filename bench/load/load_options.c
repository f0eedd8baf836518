#include "bench/load/load_options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>

enum kind { NUMBER, TEXT, FLAG, FLAG_OFF, CIDR_OF_OURS, SOURCE, GATEWAY, NETWORK, HELP };

struct entry {
	const char *section; /* begins one */
	const char *name, *value;
	enum kind kind;
	size_t at;
	uint32_t min, max;
	const char *fallback, *help;
};

#define AT(field) offsetof(struct load_options, field)

static const struct entry entries[] = {
	{"What is sent", "connections", "N", NUMBER, AT(connections), 0, LOAD_MAX_SESSIONS, "10",
		"connections at once (closed loop)"},
	{NULL, "mails", "N", NUMBER, AT(mails), 0, 1000000000, "1",
		"mails of a connection before QUIT; 0: endless"},
	{NULL, "time", "SECONDS", NUMBER, AT(time_s), 0, LOAD_MAX_TIME_S, "0",
		"go on with new connections for so long; 0: each connection once"},
	{NULL, "total", "N", NUMBER, AT(total), 0, 1000000000, "0",
		"go on with new connections until N mails were sent; 0: no limit"},
	{NULL, "warmup", "SECONDS", NUMBER, AT(warmup_s), 0, LOAD_MAX_TIME_S, "0",
		"of the time, the beginning that does not count for the rate"},
	{NULL, "folder", "DIR", TEXT, AT(folder), 0, 0, NULL, "send its files in turn as mails"},
	{NULL, "size", "OCTETS", NUMBER, AT(size), 200, 64u << 20, "20480",
		"without a folder: size of the generated mail"},
	{NULL, "from", "ADDRESS", TEXT, AT(from), 0, 0, "sender@plain.example", "reverse-path"},
	{NULL, "to", "ADDRESS", TEXT, AT(to), 0, 0, "alice@lab.example", "recipient"},
	{NULL, "helo", "NAME", TEXT, AT(helo), 0, 0, "out.plain.example", "name for EHLO"},
	{NULL, "no-pipelining", NULL, FLAG_OFF, AT(pipelining), 0, 0, NULL,
		"wait for each reply even where PIPELINING is announced"},

	{"Sessions held", "idle", "N", NUMBER, AT(idle), 0, LOAD_MAX_SESSIONS, "0",
		"sessions opened first and held after EHLO"},
	{NULL, "noop-rate", "N", NUMBER, AT(noop_rate), 0, 1000000, "0",
		"NOOPs a second over the held sessions, at random"},
	{NULL, "opening", "N", NUMBER, AT(opening), 1, LOAD_MAX_SESSIONS, "256",
		"connections being opened at once"},
	{NULL, "timeout", "SECONDS", NUMBER, AT(timeout_s), 1, 3600, "60",
		"longest wait for a connection or a reply"},

	{"Transport", "source", "ADDRESS", SOURCE, 0, 0, 0, NULL,
		"kernel sockets: use this address of ours; several: in turn"},
	{NULL, "device", "DEVICE", TEXT, AT(device), 0, 0, NULL,
		"our own stack on memif:client,PATH, af_packet:IF, af_xdp:IF or tap:NAME; without: "
		"kernel sockets"},
	{NULL, "address", "ADDRESS/LENGTH", CIDR_OF_OURS, 0, 0, 0, NULL,
		"own stack: our address on the device; several: one of them for each connection"},
	{NULL, "gateway", "ADDRESS", GATEWAY, 0, 0, 0, NULL, "own stack: for what is not on link"},
	{NULL, "memory", "MIB", NUMBER, AT(memory_mb), 64, 65536, "128",
		"own stack: memory for packets"},

	{"SYN flood (memif, or inside a network namespace)", "syn-flood", "RATE", NUMBER,
		AT(flood_rate), 0, LOAD_MAX_RATE, "0",
		"SYNs a second beside the load, from random addresses"},
	{NULL, "flood-from", "NETWORK", NETWORK, AT(flood_from), 0, 0, "198.18.0.0/15",
		"where those seem to come from"},

	{"Output", "json", "FILE", TEXT, AT(json), 0, 0, NULL,
		"write the result as JSON too; - is standard output (then without the table)"},
	{NULL, "quiet", NULL, FLAG, AT(quiet), 0, 0, NULL, "no line of progress every second"},
	{NULL, "help", NULL, HELP, 0, 0, 0, NULL, "this text"},
};
#define N_ENTRIES (sizeof(entries) / sizeof(entries[0]))

void load_options_help(struct text *out)
{
	text_printf(out, "usage: postern-load [OPTION]... ADDRESS[:PORT] | [ADDRESS6]:PORT\n\n"
			 "Sends mail to an SMTP server and measures it.\n");
	for (unsigned i = 0; i < N_ENTRIES; i++) {
		const struct entry *e = &entries[i];
		size_t at;

		if (e->section)
			text_printf(out, "\n%s\n", e->section);
		at = out->len;
		text_printf(out, "  --%s %s", e->name, e->value ? e->value : "");
		text_printf(out, "%*s%s", (int)(27 - (out->len - at)), "", e->help);
		if (e->fallback && strcmp(e->fallback, "0") != 0)
			text_printf(out, " (default %s)", e->fallback);
		text_putc(out, '\n');
	}
	text_printf(out,
		"\nExit status: 0 every mail was taken; 1 some were not, or connections failed;\n"
		"64 usage; 69 the server, the device or the mails could not be used.\n");
}

static int number(const struct entry *e, const char *value, void *field, struct text *why)
{
	uint64_t n;

	if (bytes_to_u64(bytes_str(value), e->max, &n) < 0 || n < e->min) {
		text_printf(why, "--%s: '%s' is not a number from %u to %u", e->name, value, e->min,
			e->max);
		return -EINVAL;
	}
	*(uint32_t *)field = (uint32_t)n;
	return 0;
}

static int bad(const struct entry *e, const char *value, const char *what, struct text *why)
{
	text_printf(why, "--%s: '%s' is not %s", e->name, value, what);
	return -EINVAL;
}

/* An address with the length of its network, its host bits kept. */
static int our_address(
	const struct entry *e, const char *value, struct load_options *o, struct text *why)
{
	struct bytes rest = bytes_str(value), host;
	struct ip_cidr *ours = &o->addresses[o->n_addresses];

	if (o->n_addresses == LOAD_MAX_ADDRESSES)
		return bad(e, value, "one too many of them", why);
	if (ip_cidr_parse(rest, false, ours) < 0 || !bytes_split(&rest, '/', &host) ||
		ip_addr_parse(host, &ours->addr) < 0)
		return bad(e, value, "an ADDRESS/LENGTH", why);
	o->n_addresses++;
	return 0;
}

static int source(
	const struct entry *e, const char *value, struct load_options *o, struct text *why)
{
	if (o->n_sources == LOAD_MAX_SOURCES)
		return bad(e, value, "needed: too many of them", why);
	if (ip_addr_parse(bytes_str(value), &o->sources[o->n_sources]) < 0)
		return bad(e, value, "an address", why);
	o->n_sources++;
	return 0;
}

static int gateway(
	const struct entry *e, const char *value, struct load_options *o, struct text *why)
{
	struct ip_addr addr;

	if (ip_addr_parse(bytes_str(value), &addr) < 0)
		return bad(e, value, "an address", why);
	*(ip_addr_is_v4(&addr) ? &o->gateway4 : &o->gateway6) = addr;
	return 0;
}

static int take(const struct entry *e, const char *value, struct load_options *o, struct text *why)
{
	void *field = (char *)o + e->at;

	switch (e->kind) {
	case NUMBER: return number(e, value, field, why);
	case TEXT: *(const char **)field = value; return 0;
	case FLAG: *(bool *)field = true; return 0;
	case FLAG_OFF: *(bool *)field = false; return 0;
	case CIDR_OF_OURS: return our_address(e, value, o, why);
	case SOURCE: return source(e, value, o, why);
	case GATEWAY: return gateway(e, value, o, why);
	case NETWORK:
		return ip_cidr_parse(bytes_str(value), true, field) < 0
			       ? bad(e, value, "a network, like 198.18.0.0/15", why)
			       : 0;
	case HELP: return -ECANCELED;
	}
	return -EINVAL;
}

static int set_defaults(struct load_options *o, struct text *why)
{
	int error = 0;

	*o = (struct load_options){.port = 25, .pipelining = true};
	for (unsigned i = 0; error == 0 && i < N_ENTRIES; i++)
		if (entries[i].fallback)
			error = take(&entries[i], entries[i].fallback, o, why);
	return error;
}

/* ADDRESS, ADDRESS:PORT of IPv4, ADDRESS6, [ADDRESS6]:PORT. */
static int server(const char *text, struct load_options *o, struct text *why)
{
	struct bytes all = bytes_str(text), host = all, port = {0};
	size_t colon = bytes_rfind(all, ':'), bracket = bytes_find(all, ']');
	uint64_t n = o->port;

	if (all.len && all.data[0] == '[' && bracket != BYTES_NPOS) {
		host = bytes_slice(all, 1, bracket - 1);
		port = bytes_from(all, bracket + 2);
		if (all.len == bracket + 1)
			port = (struct bytes){0};
	} else if (colon != BYTES_NPOS && bytes_find(all, ':') == colon) {
		host = bytes_slice(all, 0, colon);
		port = bytes_from(all, colon + 1);
	}
	if (ip_addr_parse(host, &o->server) < 0 ||
		(port.data && (bytes_to_u64(port, 65535, &n) < 0 || n == 0))) {
		text_printf(why, "'%s' is not ADDRESS, ADDRESS:PORT or [ADDRESS6]:PORT (no names)",
			text);
		return -EINVAL;
	}
	o->port = (uint32_t)n;
	return 0;
}

/* What does not fit together. */
static int check(const struct load_options *o, struct text *why)
{
	if (o->device && o->n_addresses == 0)
		text_printf(why, "--device needs an --address of ours on it");
	else if (o->device && o->n_sources)
		text_printf(why, "--source is for kernel sockets; with --device say --address");
	else if (!o->device && o->n_addresses)
		text_printf(why, "--address is for --device; for kernel sockets say --source");
	else if (o->connections + o->idle == 0 && o->flood_rate == 0)
		text_printf(why, "nothing to do: --connections, --idle and --syn-flood are all 0");
	else if (o->connections == 0 && o->time_s == 0)
		text_printf(why, "without --connections there must be a --time");
	else if (o->connections && o->mails == 0 && o->time_s == 0 && o->total == 0)
		text_printf(why, "--mails 0 is endless: say --time or --total");
	else if (o->warmup_s && o->warmup_s >= o->time_s)
		text_printf(why, "--warmup must be shorter than --time");
	else if (o->noop_rate && o->idle == 0)
		text_printf(why, "--noop-rate needs --idle sessions");
	else if (o->flood_rate && o->time_s == 0)
		text_printf(why, "--syn-flood needs a --time");
	else
		return 0;
	return -EINVAL;
}

int load_options_parse(int argc, char **argv, struct load_options *options, struct text *why)
{
	struct option names[N_ENTRIES + 1] = {0};
	int index, error = set_defaults(options, why), c;

	for (unsigned i = 0; i < N_ENTRIES; i++)
		names[i] = (struct option){entries[i].name,
			entries[i].value ? required_argument : no_argument, NULL, 1};
	optind = 0; /* a test parses several */
	opterr = 0;
	while (error == 0 && (c = getopt_long(argc, argv, "", names, &index)) != -1) {
		if (c == 1) {
			error = take(&entries[index], optarg, options, why);
		} else {
			text_printf(why, "%s: no such option, or its value is missing",
				argv[optind - 1]);
			error = -EINVAL;
		}
	}
	if (error == 0 && argc - optind != 1) {
		text_printf(why, "exactly one ADDRESS[:PORT] is needed");
		error = -EINVAL;
	}
	if (error == 0)
		error = server(argv[optind], options, why);
	return error ? error : check(options, why);
}
