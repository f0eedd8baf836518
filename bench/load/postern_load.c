/* postern-load: sends mail to an SMTP server and measures it; see --help. */
#include "bench/load/load.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int fail(struct text *why, int error, int code)
{
	if (why->len == 0)
		text_printf(why, "%s", strerror(-error));
	fprintf(stderr, "postern-load: %s\n", text_str(why));
	return code;
}

static int read_mails(const struct load_options *o, struct load_mails *mails, struct text *why)
{
	int rc = o->folder ? load_mails_read(mails, o->folder, why)
			   : load_mails_generate(mails, o->from, o->to, o->size);

	if (rc == 0 && mails->converted && !o->quiet)
		fprintf(stderr, "%u of %u mails had LF line ends, and are sent with CRLF\n",
			mails->converted, mails->count);
	return rc;
}

static int report(const struct load_stats *stats, const struct load_options *o,
	const struct transport *transport)
{
	FILE *json;

	if (!o->json || strcmp(o->json, "-") != 0)
		load_report_table(stats, o, stdout);
	if (!o->json)
		return 0;
	json = strcmp(o->json, "-") == 0 ? stdout : fopen(o->json, "we");
	if (!json) {
		fprintf(stderr, "postern-load: %s: %s\n", o->json, strerror(errno));
		return EX_UNAVAILABLE;
	}
	load_report_json(stats, o, transport, json);
	return json != stdout && fclose(json) != 0 ? EX_UNAVAILABLE : 0;
}

static int verdict(const struct load_stats *stats)
{
	if (stats->greeted == 0 && stats->n_errors)
		return EX_UNAVAILABLE;
	return stats->refused || stats->n_errors ? 1 : 0;
}

static int run(const struct load_options *o, struct text *why)
{
	struct transport *transport;
	struct load_mails mails;
	struct load *load;
	int rc = read_mails(o, &mails, why), code;

	if (rc < 0)
		return fail(why, rc, EX_UNAVAILABLE);
	rc = (o->device ? transport_stack_new : transport_kernel_new)(o, &transport, why);
	if (rc < 0) {
		load_mails_free(&mails);
		return fail(why, rc, EX_UNAVAILABLE);
	}
	rc = load_new(o, &mails, transport, &load, why);
	if (rc == 0) {
		load_run(load, &stop, o->quiet ? NULL : stderr);
		code = report(load_stats_of(load), o, transport);
		if (code == 0)
			code = verdict(load_stats_of(load));
		load_free(load);
	} else {
		code = fail(why, rc, rc == -EINVAL ? EX_USAGE : EX_UNAVAILABLE);
	}
	transport->ops->free(transport);
	load_mails_free(&mails);
	return code;
}

static int help(void)
{
	static char buf[LOAD_HELP_MAX];
	struct text text;

	text_init(&text, buf, sizeof(buf));
	load_options_help(&text);
	fputs(text_str(&text), stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct load_options options;
	struct sigaction action = {.sa_handler = on_signal};
	char why_buf[1024];
	struct text why;
	int rc;

	text_init(&why, why_buf, sizeof(why_buf));
	rc = load_options_parse(argc, argv, &options, &why);
	if (rc == -ECANCELED)
		return help();
	if (rc < 0) {
		text_printf(&why, " (see --help)");
		return fail(&why, rc, EX_USAGE);
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return run(&options, &why);
}
