#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/cli/dns_check.h"
#include "gateway/cli/verify_dns.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* postern dns check: what a domain says of its mail in the DNS, and what is wrong with it. */

static int run(int argc, char **argv);

const struct cli_command cli_dns = {
	.name = "dns",
	.synopsis = "check [--selector S]... [--zone FILE] [-c FILE] DOMAIN",
	.help = "look at MX, SPF, DKIM, DMARC, MTA-STS and TLS-RPT of a domain, and say what is "
		"wrong",
	.run = run,
};

#define SELECTORS_MAX 16

struct options {
	const char *config, *zone, *domain, *selectors[SELECTORS_MAX];
	unsigned n_selectors;
};

static const struct option long_options[] = {
	{"selector", required_argument, NULL, 's'},
	{"zone", required_argument, NULL, 'z'},
	{0},
};

static int add_selector(struct options *options, const char *selector)
{
	if (options->n_selectors == SELECTORS_MAX)
		return cli_usage(&cli_dns, "at most %d selectors", SELECTORS_MAX);
	options->selectors[options->n_selectors++] = selector;
	return CLI_OK;
}

static int parse_options(int argc, char **argv, struct options *options)
{
	struct dns_question question;
	int option, code = CLI_OK;

	opterr = 0;
	optind = 1;
	while (code == CLI_OK &&
		(option = getopt_long(argc, argv, ":c:", long_options, NULL)) != -1) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 'z': options->zone = optarg; break;
		case 's': code = add_selector(options, optarg); break;
		case ':': return cli_usage(&cli_dns, "%s needs a value", argv[optind - 1]);
		default: return cli_usage(&cli_dns, "%s is not known", argv[optind - 1]);
		}
	}
	if (code != CLI_OK)
		return code;
	if (argc - optind != 2 || strcmp(argv[optind], "check") != 0)
		return cli_usage(&cli_dns, "check, and one domain");
	options->domain = argv[optind + 1];
	if (!dns_question_set(&question, DNS_MX, DNS_USE_RAW, bytes_str(options->domain)))
		return cli_usage(&cli_dns, "%s is no domain name", options->domain);
	for (const char *c = options->domain; *c; c++)
		if (!ascii_is_vchar((unsigned char)*c))
			return cli_usage(
				&cli_dns, "write the domain in A-labels (xn--...), as in the DNS");
	return CLI_OK;
}

static const struct dns_answer *ask(void *arg, const struct dns_question *question)
{
	return verify_dns_ask(arg, question);
}

static int check(const struct options *options, struct verify_dns *dns)
{
	struct dns_check check = {.ask = ask, .arg = dns, .out = stdout};
	struct bytes domain = bytes_str(options->domain);

	if (domain.data[domain.len - 1] == '.')
		domain.len--;
	dns_check_run(&check, domain, options->selectors, options->n_selectors);
	printf("\n%s: %u problems, %u warnings, %u without an answer\n", options->domain,
		check.found[DNS_CHECK_PROBLEM], check.found[DNS_CHECK_WARNING],
		check.found[DNS_CHECK_UNKNOWN]);
	return check.found[DNS_CHECK_PROBLEM]   ? CLI_FOUND
	       : check.found[DNS_CHECK_UNKNOWN] ? CLI_TEMPORARY
						: CLI_OK;
}

static int run(int argc, char **argv)
{
	struct options options = {0};
	struct config *config = NULL;
	struct verify_dns *dns = NULL;
	char room[512];
	struct text why;
	int code = parse_options(argc, argv, &options);

	if (code != CLI_OK)
		return code;
	if (options.config && !(config = cli_config_load(options.config)))
		return CLI_CONFIG;
	text_init(&why, room, sizeof(room));
	int error = verify_dns_new(options.zone, config, &dns, &why);
	if (error)
		code = cli_fail(CLI_FILE, "%s", why.len > 0 ? text_str(&why) : strerror(-error));
	else
		code = check(&options, dns);
	verify_dns_free(dns);
	config_free(config);
	return code;
}
