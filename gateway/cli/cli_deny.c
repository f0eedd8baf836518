#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/control/config_value.h"
#include "gateway/control/control.h"
#include "gateway/policy/access_list.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * postern deny, postern allow: the gateway's own firewall, as the kernel's does not see packets
 * that pass it by. The daemon keeps the rules; the tool asks for them.
 */

static int run_deny(int argc, char **argv);
static int run_allow(int argc, char **argv);

#define SYNOPSIS "[-c FILE] NETWORK [--for TIME] | --remove NETWORK | --list"

const struct cli_command cli_deny = {
	.name = "deny",
	.synopsis = SYNOPSIS,
	.help = "keep a network out, for a time such as 10m, 4h or 5d, or for good",
	.run = run_deny,
};

const struct cli_command cli_allow = {
	.name = "allow",
	.synopsis = SYNOPSIS,
	.help = "let a network in, though one around it is kept out",
	.run = run_allow,
};

struct options {
	const struct cli_command *command;
	const char *config, *network, *remove, *time;
	bool list;
};

static const struct option long_options[] = {
	{"for", required_argument, NULL, 'f'},
	{"remove", required_argument, NULL, 'r'},
	{"list", no_argument, NULL, 'l'},
	{0},
};

static int parse_options(int argc, char **argv, struct options *options)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:c:", long_options, NULL)) != -1 ||
		optind < argc) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 'f': options->time = optarg; break;
		case 'r': options->remove = optarg; break;
		case 'l': options->list = true; break;
		case -1:
			if (options->network)
				return cli_usage(options->command, "%s is too much", argv[optind]);
			options->network = argv[optind++];
			break;
		case ':': return cli_usage(options->command, "%s needs a value", argv[optind - 1]);
		default: return cli_usage(options->command, "%s is not known", argv[optind - 1]);
		}
	}
	if (!options->network + !options->remove + !options->list != 2)
		return cli_usage(options->command, "name one network, or --list");
	if (options->time && !options->network)
		return cli_usage(options->command, "--for goes with a network");
	return CLI_OK;
}

/* --- listing ------------------------------------------------------------------------------------
 */

struct listing {
	unsigned rules;
};

static void print_rule(void *arg, struct bytes line)
{
	struct listing *listing = arg;
	struct access_list list = {0};
	char net[IP_CIDR_TEXT_MAX], until[48] = "";
	char buffer[128];
	struct text why;

	text_init(&why, buffer, sizeof(buffer));
	if (access_list_parse(&list, line, "daemon", &why) == 0 && list.n == 1) {
		const struct access_rule *rule = &list.rules[0];
		time_t seconds = (time_t)(rule->until_us / 1000000);
		struct tm tm;

		if (rule->until_us != ACCESS_FOREVER)
			strftime(until, sizeof(until), " until %Y-%m-%d %H:%M:%S",
				localtime_r(&seconds, &tm));
		ip_cidr_format(&rule->net, net);
		printf("%-5s %s%s\n", access_verb_word(rule->verb), net, until);
		listing->rules++;
	}
	access_list_fini(&list);
}

/* --- orders -------------------------------------------------------------------------------------
 */

static void print_reason(void *arg, struct bytes line)
{
	(void)arg;
	fprintf(stderr, "postern: %.*s\n", BYTES_FMT(line));
}

static int network_fits(const char *text)
{
	struct ip_cidr net;
	char proper[IP_CIDR_TEXT_MAX];

	if (ip_cidr_parse(bytes_str(text), true, &net) == 0)
		return CLI_OK;
	if (ip_cidr_parse(bytes_str(text), false, &net) != 0)
		return cli_fail(
			CLI_USAGE, "%s is no network such as 192.0.2.0/24 or 2001:db8::/32", text);
	ip_cidr_format(&net, proper);
	return cli_fail(
		CLI_USAGE, "%s names one address of a network; the network is %s", text, proper);
}

/* The line to say to the daemon. */
static int make_order(const struct options *options, struct text *say)
{
	static const struct config_unit units[] = {
		{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
	const char *network = options->remove ? options->remove : options->network;
	uint64_t seconds;
	int code = network_fits(network);

	if (code != CLI_OK)
		return code;
	text_printf(
		say, "%s %s", options->remove ? "access-remove" : options->command->name, network);
	if (!options->time)
		return CLI_OK;
	if (config_quantity(bytes_str(options->time), units, &seconds) != 0 || seconds == 0 ||
		seconds > UINT32_MAX)
		return cli_usage(options->command, "--for %s is no time such as 10m, 4h or 5d",
			options->time);
	text_printf(say, " %llu", (unsigned long long)seconds);
	return CLI_OK;
}

static int ask(const struct options *options, const char *say)
{
	struct config *config = cli_config_load(options->config);
	struct listing listing = {0};
	int error, code = CLI_OK;

	if (!config)
		return CLI_CONFIG;
	error = control_ask(
		config->control.socket, say, options->list ? print_rule : print_reason, &listing);
	if (error == -EINVAL)
		code = CLI_DATA;
	else if (error)
		code = cli_fail(CLI_FILE, "the daemon does not answer on %s: %s",
			config->control.socket, strerror(-error));
	else if (options->list && listing.rules == 0)
		puts("everyone is let in");
	config_free(config);
	return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct options options = {.command = command, .config = CLI_CONFIG_DEFAULT};
	char line[CONTROL_LINE_MAX];
	struct text say;
	int code = parse_options(argc, argv, &options);

	text_init(&say, line, sizeof(line));
	if (code == CLI_OK && options.list)
		text_put(&say, BYTES("access-list"));
	else if (code == CLI_OK)
		code = make_order(&options, &say);
	return code == CLI_OK ? ask(&options, text_str(&say)) : code;
}

static int run_deny(int argc, char **argv)
{
	return run(&cli_deny, argc, argv);
}

static int run_allow(int argc, char **argv)
{
	return run(&cli_allow, argc, argv);
}
