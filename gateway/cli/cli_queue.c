#include "auth/trace_format.h"
#include "base/clock.h"
#include "base/queue_id.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/cli/cli_time.h"
#include "gateway/cli/queue_mail.h"
#include "gateway/cli/queue_shape.h"
#include "gateway/control/control.h"
#include "spool/log/spool_log.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/*
 * postern queue: the undelivered mail. Listing reads the spool itself, so it works with the daemon
 * down; what the daemon alone knows (state, attempts, last reply) is asked for over the control
 * socket where it runs.
 */

static int run(int argc, char **argv);

const struct cli_command cli_queue = {
	.name = "queue",
	.synopsis = "[-c FILE] [-j] [-s STATE | --dead] [-f FROM] [-t TO] [-r REASON] "
		    "[--older AGE] [--younger AGE] [--eml DIR] "
		    "[--senders] list|show|export|shape|hold|release|requeue|flush|delete "
		    "[ID... | ALL]",
	.help = "look at undelivered mail, hold it, try it now, or delete it",
	.run = run,
};

#define REPLY_MAX 200

struct status {
	uint64_t queue_id;
	char state[16];
	unsigned attempts;
	char reply[REPLY_MAX];
};

/* What a listing leaves out; NULL: nothing. Texts are matched in part, in any case. */
struct filter {
	const char *state, *from, *to, *reason;
	uint64_t older_us, younger_us; /* age; younger 0: any */
	uint64_t now_us;
};

struct listing {
	struct status *statuses;
	size_t n_statuses, room;
	bool json;
	unsigned n_wanted;
	const uint64_t *wanted; /* none: all */
	const struct filter *filter;
	const char *directory;     /* for export */
	struct queue_shape *shape; /* for shape */
	bool senders;
	unsigned mails;
	uint64_t octets;
};

/* --- what the daemon knows ----------------------------------------------------------------------
 */

static bool take_word(struct bytes *rest, struct bytes *word)
{
	return bytes_split(rest, ' ', word) && word->len > 0;
}

/* "ID STATE ATTEMPTS NEXT REPLY..." */
static void take_status(void *arg, struct bytes line)
{
	struct listing *listing = arg;
	struct bytes id, state, attempts, next;
	struct status status = {0};
	uint64_t n;

	if (!take_word(&line, &id) || !take_word(&line, &state) || !take_word(&line, &attempts) ||
		!take_word(&line, &next) || queue_id_parse(id, &status.queue_id) != 0 ||
		bytes_to_u64(attempts, UINT32_MAX, &n) != 0)
		return;
	status.attempts = (unsigned)n;
	snprintf(status.state, sizeof(status.state), "%.*s", BYTES_FMT(state));
	snprintf(status.reply, sizeof(status.reply), "%.*s", BYTES_FMT(line));
	if (listing->n_statuses == listing->room) {
		size_t room = listing->room ? listing->room * 2 : 256;
		struct status *more = realloc(listing->statuses, room * sizeof(*more));

		if (!more)
			return;
		listing->statuses = more;
		listing->room = room;
	}
	listing->statuses[listing->n_statuses++] = status;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct status *)a)->queue_id, y = ((const struct status *)b)->queue_id;

	return x < y ? -1 : x > y;
}

static const struct status *find_status(const struct listing *listing, uint64_t queue_id)
{
	struct status key = {.queue_id = queue_id};

	return listing->n_statuses
		       ? bsearch(&key, listing->statuses, listing->n_statuses, sizeof(key), compare)
		       : NULL;
}

/* --- printing -----------------------------------------------------------------------------------
 */

static bool is_wanted(const struct listing *listing, uint64_t queue_id)
{
	for (unsigned i = 0; i < listing->n_wanted; i++)
		if (listing->wanted[i] == queue_id)
			return true;
	return listing->n_wanted == 0;
}

static void put_safe(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++)
		if (ascii_is_ctl(value.data[i]))
			printf("\\x%02x", value.data[i]);
		else
			putchar(value.data[i]);
}

/* What the daemon says; with it down, what the spool says. */
static const char *state_of(const struct spool_view *view, const struct status *status)
{
	if (status)
		return status->state;
	return view->shelf == SPOOL_ON_HOLD || view->shelf == SPOOL_ON_DEAD
		       ? spool_shelf_word(view->shelf)
		       : "waiting";
}

static void print_text(const struct spool_view *view, const struct status *status)
{
	const struct spool_envelope *e = &view->envelope;
	char id[QUEUE_ID_TEXT_SIZE], when[32];
	time_t seconds = (time_t)(e->received_unix_us / 1000000);
	struct tm tm;

	queue_id_format(e->queue_id, id);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
	printf("%s  %8llu  %s  %-8s  <", id, (unsigned long long)e->content_octets, when,
		state_of(view, status));
	put_safe(e->reverse_path);
	puts(">");
	for (uint32_t i = 0; i < e->n_recipients; i++) {
		fputs("    to <", stdout);
		put_safe(e->recipients[i].address);
		puts(queue_mail_is_junk(e, i) ? ">  quarantine" : ">");
	}
	if (status && status->reply[0])
		printf("    after %u tries: %s\n", status->attempts, status->reply);
}

static json_t *json_bytes(struct bytes value)
{
	json_t *text = json_stringn((const char *)value.data, value.len);

	return text ? text : json_string("(not UTF-8)");
}

static void print_json(const struct spool_view *view, const struct status *status)
{
	const struct spool_envelope *e = &view->envelope;
	char id[QUEUE_ID_TEXT_SIZE];
	json_t *to = json_array(), *junk = json_array();
	json_t *mail;

	for (uint32_t i = 0; i < e->n_recipients; i++) {
		json_array_append_new(to, json_bytes(e->recipients[i].address));
		if (queue_mail_is_junk(e, i))
			json_array_append_new(junk, json_bytes(e->recipients[i].address));
	}
	mail = json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:i, s:s}", "id",
		queue_id_format(e->queue_id, id), "state", state_of(view, status), "size",
		(json_int_t)e->content_octets, "received",
		(json_int_t)(e->received_unix_us / 1000000), "from", json_bytes(e->reverse_path),
		"client", json_bytes(e->client), "to", to, "quarantine", junk, "attempts",
		status ? (int)status->attempts : 0, "last_reply", status ? status->reply : "");
	if (!mail)
		return;
	json_dumpf(mail, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(mail);
}

static bool holds(struct bytes address, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= address.len; i++)
		if (bytes_eq_nocase(bytes_slice(address, i, len), bytes_str(part)))
			return true;
	return false;
}

static bool selects(const struct filter *filter)
{
	return filter->state || filter->from || filter->to || filter->reason || filter->older_us ||
	       filter->younger_us;
}

static bool passes(
	const struct filter *filter, const struct spool_view *view, const struct status *status)
{
	const struct spool_envelope *e = &view->envelope;
	uint64_t age_us =
		filter->now_us > e->received_unix_us ? filter->now_us - e->received_unix_us : 0;
	uint32_t i = 0;

	if (age_us < filter->older_us || (filter->younger_us && age_us >= filter->younger_us))
		return false;
	if (filter->reason && !holds(bytes_str(status ? status->reply : ""), filter->reason))
		return false;
	if (filter->state && strcmp(filter->state, state_of(view, status)) != 0)
		return false;
	if (filter->from && !holds(e->reverse_path, filter->from))
		return false;
	while (filter->to && i < e->n_recipients && !holds(e->recipients[i].address, filter->to))
		i++;
	return !filter->to || i < e->n_recipients;
}

static int list_one(void *arg, const struct spool_view *view)
{
	struct listing *listing = arg;
	const struct status *status = find_status(listing, view->envelope.queue_id);

	if (!is_wanted(listing, view->envelope.queue_id) || !passes(listing->filter, view, status))
		return 0;
	listing->mails++;
	listing->octets += view->envelope.content_octets;
	(listing->json ? print_json : print_text)(view, status);
	return 0;
}

static void print_trace(struct bytes record)
{
	static char room[TRACE_WORDS_MAX];
	struct text words;

	text_init(&words, room, sizeof(room));
	trace_format_text(record, &words);
	fwrite(room, 1, words.len, stdout);
}

/* Envelope, fields to prepend and content, as a delivered mail has them. Where only some copies
 * are marked for Junk, the others' is shown. */
static int show_one(void *arg, const struct spool_view *view)
{
	struct listing *listing = arg;

	unsigned before = listing->mails;

	list_one(listing, view);
	if (listing->mails == before)
		return 0;
	putchar('\n');
	print_trace(view->envelope.trace);
	putchar('\n');
	queue_mail_put(view, queue_mail_all_junk(&view->envelope), stdout);
	return 0;
}

static int export_one(void *arg, const struct spool_view *view)
{
	struct listing *listing = arg;
	unsigned before = listing->mails;

	list_one(listing, view);
	return listing->mails == before ? 0 : queue_mail_export(view, listing->directory);
}

static int shape_one(void *arg, const struct spool_view *view)
{
	struct listing *listing = arg;
	const struct spool_envelope *e = &view->envelope;
	uint64_t now_us = listing->filter->now_us;
	uint64_t age_us = now_us > e->received_unix_us ? now_us - e->received_unix_us : 0;

	if (!is_wanted(listing, e->queue_id) ||
		!passes(listing->filter, view, find_status(listing, e->queue_id)))
		return 0;
	if (listing->senders)
		queue_shape_add(listing->shape, e->reverse_path, age_us);
	for (uint32_t i = 0; !listing->senders && i < e->n_recipients; i++)
		queue_shape_add(listing->shape, e->recipients[i].address, age_us);
	return 0;
}

/* --- subcommands --------------------------------------------------------------------------------
 */

struct request {
	const char *name;
	const struct config *config;
	unsigned argc;
	char **argv;
	struct filter filter;
	const char *directory;
	bool json, senders;
};

static int parse_ids(const struct request *request, uint64_t *ids)
{
	for (unsigned i = 0; i < request->argc; i++)
		if (queue_id_parse(bytes_str(request->argv[i]), &ids[i]) != 0)
			return cli_fail(CLI_USAGE, "%s is no queue id", request->argv[i]);
	return CLI_OK;
}

static int scan(const struct request *request, struct listing *listing,
	int (*one)(void *arg, const struct spool_view *view))
{
	char buffer[512];
	struct text why;
	int error;

	text_init(&why, buffer, sizeof(buffer));
	control_ask(request->config->control.socket, "status", take_status, listing);
	if (listing->n_statuses > 0)
		qsort(listing->statuses, listing->n_statuses, sizeof(*listing->statuses), compare);
	error = spool_log_scan(request->config->spool.path, one, listing, &why);
	if (error)
		return cli_fail(CLI_FILE, "%s", why.len ? text_str(&why) : strerror(-error));
	return CLI_OK;
}

static int look(const struct request *request, int (*one)(void *arg, const struct spool_view *view),
	struct listing *listing)
{
	uint64_t *ids = calloc(request->argc + 1, sizeof(*ids));
	int code = ids ? parse_ids(request, ids) : CLI_SOFTWARE;

	listing->json = request->json;
	listing->filter = &request->filter;
	listing->directory = request->directory;
	listing->wanted = ids;
	listing->n_wanted = request->argc;
	if (code == CLI_OK)
		code = scan(request, listing, one);
	free(listing->statuses);
	free(ids);
	return code;
}

static int run_list(const struct request *request)
{
	struct listing listing = {0};
	int code = look(request, list_one, &listing);

	if (code == CLI_OK && !request->json)
		printf("%u mails, %llu octets\n", listing.mails,
			(unsigned long long)listing.octets);
	return code;
}

static int run_show(const struct request *request)
{
	struct listing listing = {0};
	int code;

	if (request->argc == 0)
		return cli_usage(&cli_queue, "show needs queue ids");
	code = look(request, show_one, &listing);
	if (code == CLI_OK && listing.mails == 0)
		return cli_fail(CLI_DATA, "no such mail in the queue");
	return code;
}

static int run_export(const struct request *request)
{
	struct listing listing = {0};

	if (!request->directory)
		return cli_usage(&cli_queue, "export needs --eml DIR");
	return look(request, export_one, &listing);
}

static int run_shape(const struct request *request)
{
	struct listing listing = {.senders = request->senders, .shape = queue_shape_new()};
	int code = listing.shape ? look(request, shape_one, &listing)
				 : cli_fail(CLI_SOFTWARE, "out of memory");

	if (code == CLI_OK)
		queue_shape_print(listing.shape, request->json, stdout);
	queue_shape_free(listing.shape);
	return code;
}

static void print_line(void *arg, struct bytes text)
{
	(void)arg;
	printf("%.*s\n", BYTES_FMT(text));
}

/* hold, release, flush and delete are the daemon's to do. */
static int run_order(const struct request *request)
{
	char line[CONTROL_LINE_MAX];
	struct text say;
	int error;

	if (request->argc == 0)
		return cli_usage(&cli_queue, "%s needs queue ids, or ALL", request->name);
	/* Or `-s hold delete ALL` would delete what the same selection does not list. */
	if (selects(&request->filter))
		return cli_usage(&cli_queue, "%s takes queue ids, and no selection", request->name);
	text_init(&say, line, sizeof(line));
	text_put(&say, bytes_str(request->name));
	for (unsigned i = 0; i < request->argc; i++)
		text_printf(&say, " %s", request->argv[i]);
	if (say.overflow)
		return cli_fail(CLI_USAGE, "too many ids at once");
	error = control_ask(request->config->control.socket, text_str(&say), print_line, NULL);
	if (error == -EINVAL)
		return CLI_DATA;
	if (error)
		return cli_fail(CLI_FILE, "the daemon does not answer on %s: %s",
			request->config->control.socket, strerror(-error));
	return CLI_OK;
}

static const struct {
	const char *name;
	int (*run)(const struct request *request);
} subcommands[] = {
	{"list", run_list},
	{"show", run_show},
	{"export", run_export},
	{"shape", run_shape},
	{"hold", run_order},
	{"release", run_order},
	{"requeue", run_order},
	{"flush", run_order},
	{"delete", run_order},
};

static int dispatch(const struct request *request)
{
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		if (strcmp(request->name, subcommands[i].name) == 0)
			return subcommands[i].run(request);
	return cli_usage(&cli_queue, "%s is not known", request->name);
}

static bool take_option(struct request *request, int option, const char *value)
{
	struct filter *filter = &request->filter;

	switch (option) {
	case 'd': filter->state = "dead"; return true;
	case 'e': request->directory = value; return true;
	case 'f': filter->from = value; return true;
	case 'j': request->json = true; return true;
	case 'n': return cli_age_parse(value, &filter->younger_us);
	case 'o': return cli_age_parse(value, &filter->older_us);
	case 'r': filter->reason = value; return true;
	case 's': filter->state = value; return true;
	case 'S': request->senders = true; return true;
	case 't': filter->to = value; return true;
	default: return false;
	}
}

static const struct option long_options[] = {
	{"dead", no_argument, NULL, 'd'},
	{"eml", required_argument, NULL, 'e'},
	{"senders", no_argument, NULL, 'S'},
	{"older", required_argument, NULL, 'o'},
	{"younger", required_argument, NULL, 'n'},
	{0},
};

static int run(int argc, char **argv)
{
	const char *path = CLI_CONFIG_DEFAULT;
	struct request request = {0};
	struct config *config;
	int option, code;

	request.filter.now_us = clock_unix_us();
	while ((option = getopt_long(argc, argv, "c:f:jr:s:t:", long_options, NULL)) != -1)
		if (option == 'c')
			path = optarg;
		else if (!take_option(&request, option, optarg))
			return cli_usage(&cli_queue, "that option is not known, or its value");
	if (optind == argc)
		return cli_usage(&cli_queue, "say what to do");
	config = cli_config_load(path);
	if (!config)
		return CLI_CONFIG;
	request.name = argv[optind];
	request.config = config;
	request.argc = (unsigned)(argc - optind - 1);
	request.argv = argv + optind + 1;
	code = dispatch(&request);
	config_free(config);
	return code;
}
