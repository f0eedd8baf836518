#include "auth/trace_format.h"
#include "base/queue_id.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/control/control.h"
#include "spool/log/spool_log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

/*
 * postern trace: what happened to one mail, and why. The daemon remembers recent mails, refused
 * ones too; of one that is still in the queue the spool knows it, daemon up or down.
 */

static int run(int argc, char **argv);

const struct cli_command cli_trace = {
	.name = "trace",
	.synopsis = "[-j] [-c FILE] ID",
	.help = "what happened to one mail, and why",
	.run = run,
};

static void print_line(void *arg, struct bytes text)
{
	(void)arg;
	printf("%.*s\n", BYTES_FMT(text));
}

struct wanted {
	uint64_t queue_id;
	bool json, found;
};

/* As the daemon says it of a mail that it remembers. */
static void print_record(const struct wanted *wanted, struct bytes record, const char *shelf)
{
	static char room[TRACE_WORDS_MAX];
	char id[QUEUE_ID_TEXT_SIZE];
	struct text words;

	text_init(&words, room, sizeof(room));
	if (wanted->json) {
		trace_format_json(record, &words);
		printf("{\"id\":\"%s\",\"events\":%.*s,\"queue\":\"%s\"}\n",
			queue_id_format(wanted->queue_id, id), BYTES_FMT(text_bytes(&words)),
			shelf);
	} else {
		trace_format_text(record, &words);
		fwrite(room, 1, words.len, stdout);
		printf("in the queue: %s\n", shelf);
	}
}

static int print_spooled(void *arg, const struct spool_view *view)
{
	struct wanted *wanted = arg;

	if (view->envelope.queue_id != wanted->queue_id)
		return 0;
	wanted->found = true;
	print_record(wanted, view->envelope.trace, spool_shelf_word(view->shelf));
	return 0;
}

static int trace_in_spool(const struct config *config, struct wanted *wanted, int asked)
{
	char buffer[512];
	struct text why;

	text_init(&why, buffer, sizeof(buffer));
	if (spool_log_scan(config->spool.path, print_spooled, wanted, &why) != 0)
		return cli_fail(CLI_FILE, "%s", text_str(&why));
	if (wanted->found)
		return CLI_OK;
	if (asked != -EINVAL)
		return cli_fail(CLI_DATA,
			"not in the queue, and the daemon does not answer on %s: %s",
			config->control.socket, strerror(-asked));
	return cli_fail(CLI_DATA, "neither in the queue nor among the recent mails");
}

static int trace(const struct config *config, struct wanted *wanted)
{
	char say[64], id[QUEUE_ID_TEXT_SIZE];
	int asked;

	snprintf(say, sizeof(say), "trace %s%s", queue_id_format(wanted->queue_id, id),
		wanted->json ? " json" : "");
	asked = control_ask(config->control.socket, say, print_line, NULL);
	return asked == 0 ? CLI_OK : trace_in_spool(config, wanted, asked);
}

static int run(int argc, char **argv)
{
	const char *path = CLI_CONFIG_DEFAULT;
	struct wanted wanted = {0};
	struct config *config;
	int option, code;

	while ((option = getopt(argc, argv, "c:j")) != -1) {
		switch (option) {
		case 'c': path = optarg; break;
		case 'j': wanted.json = true; break;
		default: return cli_usage(&cli_trace, "that option is not known");
		}
	}
	if (optind + 1 != argc)
		return cli_usage(&cli_trace, "name one queue id");
	if (queue_id_parse(bytes_str(argv[optind]), &wanted.queue_id) != 0)
		return cli_fail(CLI_USAGE, "%s is no queue id", argv[optind]);
	config = cli_config_load(path);
	if (!config)
		return CLI_CONFIG;
	code = trace(config, &wanted);
	config_free(config);
	return code;
}
