#include "auth/pipeline.h"
#include "base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/verify_dns.h"
#include "gateway/cli/verify_engine.h"
#include "gateway/cli/verify_input.h"
#include "gateway/cli/verify_report.h"
#include "gateway/control/config.h"
#include "gateway/policy_setup.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * postern verify: the auth engine of the daemon on one message, read piece by piece. Nothing is
 * written to stdout before there is a verdict.
 */

struct options {
	bool json, convert;
	const char *ip, *helo, *mail_from, *zone, *now, *authserv_id, *config_file, *message;
};

struct verify {
	struct options options;
	struct auth_envelope envelope;
	struct config *config; /* NULL without -c */
	struct policy_config policy;
	FILE *file;
	struct verify_dns *dns;
	struct auth_engine *engine;
	struct auth_mail *mail;
};

#define PIECE 32768

/* --- the command line --- */

static const struct option long_options[] = {
	{"json", no_argument, NULL, 'j'},
	{"ip", required_argument, NULL, 'i'},
	{"helo", required_argument, NULL, 'h'},
	{"mail-from", required_argument, NULL, 'f'},
	{"zone", required_argument, NULL, 'z'},
	{"now", required_argument, NULL, 'n'},
	{"lf", no_argument, NULL, 'l'},
	{"authserv-id", required_argument, NULL, 'a'},
	{NULL, 0, NULL, 0},
};

static int parse_options(int argc, char **argv, struct options *options)
{
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":c:", long_options, NULL)) != -1) {
		switch (c) {
		case 'j': options->json = true; break;
		case 'i': options->ip = optarg; break;
		case 'h': options->helo = optarg; break;
		case 'f': options->mail_from = optarg; break;
		case 'z': options->zone = optarg; break;
		case 'n': options->now = optarg; break;
		case 'l': options->convert = true; break;
		case 'a': options->authserv_id = optarg; break;
		case 'c': options->config_file = optarg; break;
		case ':': return cli_usage(&cli_verify, "%s needs a value", argv[optind - 1]);
		default: return cli_usage(&cli_verify, "unknown option %s", argv[optind - 1]);
		}
	}
	if (!options->ip || !options->helo || !options->mail_from)
		return cli_usage(&cli_verify, "--ip, --helo and --mail-from are needed");
	if (argc - optind != 1)
		return cli_usage(&cli_verify, "one message is needed, or -");
	options->message = argv[optind];
	return CLI_OK;
}

static int make_envelope(struct verify *verify)
{
	const struct options *options = &verify->options;
	struct auth_envelope *envelope = &verify->envelope;

	if (ip_addr_parse(bytes_str(options->ip), &envelope->client))
		return cli_usage(&cli_verify, "--ip %s is no address", options->ip);
	envelope->helo = bytes_str(options->helo);
	envelope->mail_from = bytes_str(options->mail_from);
	envelope->now_unix_s = clock_unix_us() / 1000000;
	if (options->now && bytes_to_u64(bytes_str(options->now), INT64_MAX, &envelope->now_unix_s))
		return cli_usage(&cli_verify, "--now %s is no time in seconds", options->now);
	return CLI_OK;
}

/* --- what the command line names --- */

static int load_config(struct verify *verify)
{
	const char *file = verify->options.config_file;
	struct config_errors errors = {.n = 0};

	verify->policy = policy_config_default;
	if (!file)
		return CLI_OK;
	if (config_load(file, &verify->config, &errors)) {
		const struct config_error *first = &errors.error[0];
		return first->line ? cli_fail(CLI_FILE, "%s:%u:%u: %s", file, first->line,
					     first->column, first->text)
				   : cli_fail(CLI_FILE, "%s: %s", file, first->text);
	}
	policy_setup(verify->config, &verify->policy);
	return CLI_OK;
}

static int open_message(struct verify *verify)
{
	const char *name = verify->options.message;

	verify->file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
	if (!verify->file)
		return cli_fail(CLI_FILE, "%s: %s", name, strerror(errno));
	return CLI_OK;
}

static int open_dns(struct verify *verify)
{
	char room[512];
	struct text why;

	text_init(&why, room, sizeof(room));
	int error = verify_dns_new(verify->options.zone, verify->config, &verify->dns, &why);
	if (error)
		return cli_fail(CLI_FILE, "%s", why.len > 0 ? text_str(&why) : strerror(-error));
	return CLI_OK;
}

static int begin(struct verify *verify)
{
	if (verify_engine_new(verify->config, verify->options.authserv_id, &verify->engine))
		return cli_fail(CLI_SOFTWARE, "out of memory");
	verify->mail = auth_mail_begin(verify->engine, &verify->envelope, clock_mono_us());
	return verify->mail ? CLI_OK : cli_fail(CLI_DATA, "--helo or --mail-from is too long");
}

/* --- the message --- */

static int check_fed(const struct verify *verify, enum auth_feed fed)
{
	const char *name = verify->options.message;

	switch (fed) {
	case AUTH_FEED_OK: return CLI_OK;
	case AUTH_FEED_HEADER_TOO_LARGE:
		return cli_fail(CLI_DATA, "%s: header section too large", name);
	case AUTH_FEED_LOOP: return cli_fail(CLI_DATA, "%s: too many Received fields", name);
	case AUTH_FEED_NO_MEMORY: break;
	}
	return cli_fail(CLI_DATA, "%s: needs more memory than one mail may have", name);
}

static int feed_message(struct verify *verify)
{
	static uint8_t raw[PIECE], content[2 * PIECE];
	struct verify_input input = {.convert = verify->options.convert};
	size_t n;

	while ((n = fread(raw, 1, sizeof(raw), verify->file)) > 0) {
		size_t len = verify_input_feed(&input, bytes_of(raw, n), content);
		if (input.bare_lf_at > 0)
			return cli_fail(CLI_DATA, "%s: bare LF at octet %llu (--lf converts)",
				verify->options.message, (unsigned long long)input.bare_lf_at);
		enum auth_feed fed =
			auth_mail_content(verify->mail, bytes_of(content, len), clock_mono_us());
		if (fed != AUTH_FEED_OK)
			return check_fed(verify, fed);
		/* `content` is used again */
		verify_engine_run(verify->engine, verify->dns, false);
	}
	if (ferror(verify->file))
		return cli_fail(CLI_FILE, "%s: %s", verify->options.message, strerror(errno));
	return check_fed(verify, auth_mail_content_end(verify->mail, clock_mono_us()));
}

static int report(struct verify *verify)
{
	struct policy_decision decision;
	const struct auth_verdict *verdict = verify_engine_decide(verify->engine, verify->dns,
		verify->mail, &verify->policy, &verify->envelope.client, &decision);
	int error = 0;

	if (verify->options.json) {
		error = verify_report_json(verdict, &decision);
	} else {
		struct bytes field = verdict->authentication_results;
		fwrite(field.data, 1, field.len, stdout);
	}
	if (error || fflush(stdout))
		return cli_fail(CLI_SOFTWARE, "cannot write the verdict");
	return CLI_OK;
}

static int run(int argc, char **argv)
{
	static int (*const steps[])(struct verify *) = {
		make_envelope, load_config, open_message, open_dns, begin, feed_message, report};
	struct verify verify = {.config = NULL};
	int code = parse_options(argc, argv, &verify.options);

	for (size_t i = 0; code == CLI_OK && i < sizeof(steps) / sizeof(steps[0]); i++)
		code = steps[i](&verify);
	auth_engine_free(verify.engine);
	verify_dns_free(verify.dns);
	if (verify.file && verify.file != stdin)
		fclose(verify.file);
	config_free(verify.config);
	return code;
}

const struct cli_command cli_verify = {
	.name = "verify",
	.synopsis = "[--json] --ip A --helo H --mail-from M [--zone FILE] [--now UNIXTIME] [--lf] "
		    "[--authserv-id ID] [-c FILE] MESSAGE|-",
	.help = "what the gateway finds out about a message: its Authentication-Results, or JSON",
	.run = run,
};
