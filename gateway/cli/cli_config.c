#include "gateway/cli/cli_config.h"
#include "gateway/cli/cli.h"
#include "gateway/control/config_print.h"

#include <getopt.h>
#include <string.h>

/* postern config: what the configuration comes to; postern check is in cli_check.c. */

static int run(int argc, char **argv);

const struct cli_command cli_config = {
	.name = "config",
	.synopsis = "[-n] [-c FILE] | --sample",
	.help = "print the configuration with its defaults (-n: only what differs from them), or a "
		"sample",
	.run = run,
};

static int print_sample(void)
{
	config_print_sample(stdout);
	return CLI_OK;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"sample", no_argument, NULL, 's'}, {"man", no_argument, NULL, 'm'}, {0}};
	const char *path = CLI_CONFIG_DEFAULT;
	bool only_changed = false;
	struct config *config;
	int option;

	while ((option = getopt_long(argc, argv, "c:n", options, NULL)) != -1) {
		switch (option) {
		case 'c': path = optarg; break;
		case 'n': only_changed = true; break;
		case 's': return print_sample();
		case 'm': config_print_man(stdout); return CLI_OK;
		default: return cli_usage(&cli_config, "that option is not known");
		}
	}
	if (optind < argc)
		return cli_usage(&cli_config, "%s is not expected", argv[optind]);
	config = cli_config_load(path);
	if (!config)
		return CLI_CONFIG;
	config_print(config, only_changed, stdout);
	config_free(config);
	return CLI_OK;
}
