#include "gateway/cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command *const commands[] = {
	&cli_arc,
	&cli_verify,
	&cli_check,
	&cli_config,
	&cli_dkim,
	&cli_dns,
	&cli_queue,
	&cli_replay,
	&cli_stats,
	&cli_trace,
	&cli_deny,
	&cli_allow,
	&cli_capture,
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	puts("usage: postern COMMAND ...\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %s %s\n      %s\n", commands[i]->name, commands[i]->synopsis,
			commands[i]->help);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return cli_fail(CLI_USAGE, "no command given; see postern --help");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i]->name) == 0)
			return commands[i]->run(argc - 1, argv + 1);
	}
	return cli_fail(CLI_USAGE, "unknown command '%s'; see postern --help", argv[1]);
}
