#include "gateway/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

/* What is told may quote what was given: it stays one line. */
static void put_line(const char *format, va_list args, const char *end)
{
	char line[1024];
	int len = vsnprintf(line, sizeof(line), format, args);

	for (int i = 0; i < len && i < (int)sizeof(line) - 1; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	fprintf(stderr, "postern: %s%s\n", len < 0 ? "?" : line, end);
}

int cli_fail(enum cli_exit code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(format, args, "");
	va_end(args);
	return (int)code;
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
	char how[512];
	va_list args;

	snprintf(how, sizeof(how), "; usage: postern %s %s", command->name, command->synopsis);
	va_start(args, format);
	put_line(format, args, how);
	va_end(args);
	return CLI_USAGE;
}
