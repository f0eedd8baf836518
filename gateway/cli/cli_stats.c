#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/control/control.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* postern stats: every counter of the running daemon. */

static int run(int argc, char **argv);

const struct cli_command cli_stats = {
	.name = "stats",
	.synopsis = "[-a] [-c FILE]",
	.help = "the running daemon's counters (-a: those that are zero too)",
	.run = run,
};

struct printing {
	bool all;
	char set[64]; /* whose heading was printed */
};

/* "SET NAME VALUE" */
static void print_counter(void *arg, struct bytes line)
{
	struct printing *printing = arg;
	struct bytes set, name;

	if (!bytes_split(&line, ' ', &set) || !bytes_split(&line, ' ', &name))
		return;
	if (!printing->all && bytes_eq(line, BYTES("0")))
		return;
	if (!bytes_eq(set, bytes_str(printing->set))) {
		snprintf(printing->set, sizeof(printing->set), "%.*s", BYTES_FMT(set));
		printf("%s\n", printing->set);
	}
	printf("  %-32.*s %12.*s\n", BYTES_FMT(name), BYTES_FMT(line));
}

static int run(int argc, char **argv)
{
	const char *path = CLI_CONFIG_DEFAULT;
	struct printing printing = {0};
	struct config *config;
	int option, error;

	while ((option = getopt(argc, argv, "ac:")) != -1) {
		switch (option) {
		case 'a': printing.all = true; break;
		case 'c': path = optarg; break;
		default: return cli_usage(&cli_stats, "that option is not known");
		}
	}
	config = cli_config_load(path);
	if (!config)
		return CLI_CONFIG;
	error = control_ask(config->control.socket, "stats", print_counter, &printing);
	if (error)
		cli_fail(CLI_FILE, "the daemon does not answer on %s: %s", config->control.socket,
			strerror(-error));
	config_free(config);
	return error ? CLI_FILE : CLI_OK;
}
