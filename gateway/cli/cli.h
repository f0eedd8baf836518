#pragma once

/*
 * The tool `postern`: a table of subcommands, one file each. A subcommand gets its own name as
 * argv[0] and returns the exit code of the process.
 */
struct cli_command {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *help;     /* one line */
	int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_allow;
extern const struct cli_command cli_arc;
extern const struct cli_command cli_capture;
extern const struct cli_command cli_check;
extern const struct cli_command cli_config;
extern const struct cli_command cli_deny;
extern const struct cli_command cli_dkim;
extern const struct cli_command cli_dns;
extern const struct cli_command cli_queue;
extern const struct cli_command cli_replay;
extern const struct cli_command cli_stats;
extern const struct cli_command cli_trace;
extern const struct cli_command cli_verify;

/* As sysexits.h has them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FOUND = 1,      /* what was looked for: something is wrong with what was checked */
	CLI_USAGE = 64,     /* the command line */
	CLI_DATA = 65,      /* what is in the input */
	CLI_FILE = 66,      /* a file that cannot be read or used */
	CLI_TEMPORARY = 75, /* no answer now; later perhaps */
	CLI_CONFIG = 78,    /* the configuration */
	CLI_SOFTWARE = 70,  /* memory, and what should not be */
};

/* One line on stderr, "postern: ..."; returns `code`. */
int cli_fail(enum cli_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a command line that cannot be understood, with how it is spelled. */
int cli_usage(const struct cli_command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
