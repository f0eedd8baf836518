#include "auth/arc/arc_seal_message.h"
#include "base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/sign_input.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * postern arc seal: a message with one ARC set more, made of the Authentication-Results that it
 * carries. Where nothing may be added to its chain it comes out as it went in, and a line on stderr
 * says why.
 */

static int run(int argc, char **argv);

const struct cli_command cli_arc = {
	.name = "arc",
	.synopsis = "seal --domain D --selector S --key FILE --authserv-id ID [--headers A:B]\n"
		    "       [--now T] [--lf] [MESSAGE|-]",
	.help = "seal a message: add an ARC set for the results of ID that it carries",
	.run = run,
};

struct options {
	const char *domain, *selector, *key, *authserv_id, *headers, *now, *message;
	bool convert;
};

static const struct option long_options[] = {
	{"domain", required_argument, NULL, 'd'},
	{"selector", required_argument, NULL, 's'},
	{"key", required_argument, NULL, 'k'},
	{"authserv-id", required_argument, NULL, 'a'},
	{"headers", required_argument, NULL, 'h'},
	{"now", required_argument, NULL, 'n'},
	{"lf", no_argument, NULL, 'l'},
	{NULL, 0, NULL, 0},
};

static int parse_options(int argc, char **argv, struct options *options)
{
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		switch (c) {
		case 'd': options->domain = optarg; break;
		case 's': options->selector = optarg; break;
		case 'k': options->key = optarg; break;
		case 'a': options->authserv_id = optarg; break;
		case 'h': options->headers = optarg; break;
		case 'n': options->now = optarg; break;
		case 'l': options->convert = true; break;
		case ':': return cli_usage(&cli_arc, "%s needs a value", argv[optind - 1]);
		default: return cli_usage(&cli_arc, "unknown option %s", argv[optind - 1]);
		}
	}
	if (!options->domain || !options->selector || !options->key || !options->authserv_id)
		return cli_usage(
			&cli_arc, "--domain, --selector, --key and --authserv-id are needed");
	options->message = optind < argc ? argv[optind] : "-";
	if (optind + 1 < argc)
		return cli_usage(&cli_arc, "%s is too much", argv[optind + 1]);
	return CLI_OK;
}

static int check_refusal(enum arc_seal_refusal refusal)
{
	switch (refusal) {
	case ARC_SEAL_OK: return CLI_OK;
	case ARC_SEAL_CHAIN_FAILED:
	case ARC_SEAL_CHAIN_FULL:
	case ARC_SEAL_CHAIN_UNREADABLE:
	case ARC_SEAL_CHAIN_UNCHECKED:
		fprintf(stderr, "postern: not sealed: %s\n", arc_seal_refusal_text(refusal));
		return CLI_OK;
	case ARC_SEAL_NO_CHAIN:
	case ARC_SEAL_HEADER:
		return cli_fail(CLI_DATA, "cannot be sealed: %s", arc_seal_refusal_text(refusal));
	case ARC_SEAL_NO_MEMORY: break;
	}
	return cli_fail(CLI_SOFTWARE, "no memory to seal with");
}

static int seal_message(const struct options *options, const struct dkim_signer *signer,
	struct bytes message, uint64_t now_unix_s)
{
	const struct arc_seal_options how = {
		.key = {signer, bytes_str(options->domain), bytes_str(options->selector)},
		.authserv_id = bytes_str(options->authserv_id),
		.names = bytes_str(options->headers),
		.now_unix_s = now_unix_s,
	};
	enum arc_seal_refusal refusal;
	static char fields[1 << 17];
	struct text text;

	text_init(&text, fields, sizeof(fields));
	int error = arc_seal_message(&how, message, &text, &refusal);
	if (error == -EINVAL)
		return cli_fail(CLI_DATA, "the header section is too large to be sealed");
	if (error < 0)
		return cli_fail(CLI_SOFTWARE, "sealing: %s", strerror(-error));
	int code = check_refusal(refusal);
	if (code != CLI_OK)
		return code;
	fwrite(fields, 1, text.len, stdout);
	fwrite(message.data, 1, message.len, stdout);
	return fflush(stdout) == 0 ? CLI_OK : cli_fail(CLI_FILE, "stdout: %s", strerror(errno));
}

static int seal(const struct options *options)
{
	struct sign_message message = {.input = {.convert = options->convert}};
	uint64_t now_unix_s = clock_unix_us() / 1000000;
	struct dkim_signer *signer = NULL;

	if (options->now && bytes_to_u64(bytes_str(options->now), INT64_MAX, &now_unix_s) < 0)
		return cli_usage(&cli_arc, "--now %s is no time in seconds", options->now);
	int code = sign_input_key(options->key, &signer);
	if (code == CLI_OK)
		code = sign_input_message(options->message, &message);
	if (code == CLI_OK)
		code = seal_message(
			options, signer, bytes_of(message.octets, message.len), now_unix_s);
	dkim_signer_free(signer);
	free(message.octets);
	return code;
}

static int run(int argc, char **argv)
{
	struct options options = {0};

	if (argc < 2 || strcmp(argv[1], "seal") != 0)
		return cli_usage(&cli_arc, "seal?");
	int code = parse_options(argc - 1, argv + 1, &options);
	return code == CLI_OK ? seal(&options) : code;
}
