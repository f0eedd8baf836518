#include "base/clock.h"
#include "base/queue_id.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/cli/cli_time.h"
#include "gateway/cli/replay_deliver.h"
#include "gateway/cli/replay_verify.h"
#include "spool/log/spool_log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * postern replay: mail that is still in the log, whatever became of it (spool.retention), evaluated
 * again or delivered again. Reads the spool itself, so it works with the daemon down.
 */

static int run(int argc, char **argv);

const struct cli_command cli_replay = {
	.name = "replay",
	.synopsis = "--from TIME [--to TIME] [--verify [--dns kept|fresh] | --deliver] [-j] [-c "
		    "FILE] [ID...]",
	.help = "evaluate old mail again with today's policy, or deliver it again",
	.run = run,
};

#define IDS_MAX 1000u

struct replay {
	const char *config_file;
	uint64_t from_us, to_us;
	bool from_given, json, deliver, fresh;
	uint64_t ids[IDS_MAX];
	unsigned n_ids;
	struct replay_verify *verify;
	struct replay_deliver *deliverer;
	unsigned mails, failed;
};

static bool is_wanted(const struct replay *r, const struct spool_envelope *e)
{
	/* Bounces and the like are ours, and about a time that is over. */
	if (e->flags & SPOOL_MAIL_RELAY)
		return false;
	for (unsigned i = 0; i < r->n_ids; i++)
		if (r->ids[i] == e->queue_id)
			return true;
	return r->n_ids == 0;
}

static int replay_one(void *arg, const struct spool_view *view)
{
	struct replay *r = arg;
	bool good;

	if (!is_wanted(r, &view->envelope))
		return 0;
	good = r->deliver ? replay_deliver_mail(r->deliverer, view, r->json)
			  : replay_verify_mail(r->verify, view, r->json);
	r->mails++;
	r->failed += !good;
	return 0;
}

static int start(struct replay *r, const struct config *config, struct text *why)
{
	return r->deliver ? replay_deliver_new(config, &r->deliverer, why)
			  : replay_verify_new(config, r->fresh, &r->verify, why);
}

static int replay(struct replay *r, const struct config *config)
{
	char buffer[512];
	struct text why;
	int error;

	text_init(&why, buffer, sizeof(buffer));
	error = start(r, config, &why);
	if (error == 0)
		error = spool_log_scan_kept(
			config->spool.path, r->from_us, r->to_us, replay_one, r, &why);
	replay_deliver_free(r->deliverer);
	replay_verify_free(r->verify);
	if (error)
		return cli_fail(CLI_FILE, "%s", why.len ? text_str(&why) : strerror(-error));
	if (!r->json)
		printf("%u mails, %u %s\n", r->mails, r->failed,
			r->deliver ? "not delivered"
				   : "that would be treated otherwise than accepted");
	return r->deliver && r->failed ? CLI_DATA : CLI_OK;
}

static int take_ids(struct replay *r, int argc, char **argv)
{
	if (argc > (int)IDS_MAX)
		return cli_usage(&cli_replay, "at most %u ids", IDS_MAX);
	for (int i = 0; i < argc; i++)
		if (queue_id_parse(bytes_str(argv[i]), &r->ids[r->n_ids++]) != 0)
			return cli_fail(CLI_USAGE, "%s is no queue id", argv[i]);
	return CLI_OK;
}

static const struct option long_options[] = {
	{"from", required_argument, NULL, 'f'},
	{"to", required_argument, NULL, 't'},
	{"verify", no_argument, NULL, 'v'},
	{"deliver", no_argument, NULL, 'd'},
	{"dns", required_argument, NULL, 'D'},
	{0},
};

static bool take_option(struct replay *r, int option, const char *value)
{
	uint64_t now_us = clock_unix_us();

	switch (option) {
	case 'c': r->config_file = value; return true;
	case 'd': r->deliver = true; return true;
	case 'D':
		r->fresh = strcmp(value, "fresh") == 0;
		return r->fresh || strcmp(value, "kept") == 0;
	case 'f': r->from_given = true; return cli_time_parse(value, now_us, &r->from_us);
	case 'j': r->json = true; return true;
	case 't': return cli_time_parse(value, now_us, &r->to_us);
	case 'v': r->deliver = false; return true;
	default: return false;
	}
}

static int run(int argc, char **argv)
{
	struct replay *r = calloc(1, sizeof(*r));
	struct config *config = NULL;
	int option, code = CLI_OK;

	if (!r)
		return cli_fail(CLI_SOFTWARE, "out of memory");
	r->config_file = CLI_CONFIG_DEFAULT;
	r->to_us = UINT64_MAX;
	while (code == CLI_OK &&
		(option = getopt_long(argc, argv, "c:j", long_options, NULL)) != -1)
		if (!take_option(r, option, optarg))
			code = cli_usage(&cli_replay, "that option is not known, or its value");
	if (code == CLI_OK && !r->from_given)
		code = cli_usage(&cli_replay, "say --from which time");
	if (code == CLI_OK)
		code = take_ids(r, argc - optind, argv + optind);
	if (code == CLI_OK && !(config = cli_config_load(r->config_file)))
		code = CLI_CONFIG;
	if (code == CLI_OK)
		code = replay(r, config);
	config_free(config);
	free(r);
	return code;
}
