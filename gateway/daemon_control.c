#include "gateway/daemon_control.h"

#include "auth/trace_format.h"
#include "base/json_text.h"
#include "gateway/daemon_priv.h"

#include <errno.h>
#include <stdlib.h>

/* What the tool may ask of the daemon over the control socket. */

/* --- the delivery thread's things, borrowed between two of its rounds ----------------------------
 */

static struct delivery *delivery_borrow(struct daemon *d)
{
	atomic_fetch_add_explicit(&d->delivery.callers, 1, memory_order_acq_rel);
	doorbell_ring(&d->delivery.bell);
	pthread_mutex_lock(&d->delivery.lock);
	return d->delivery.delivery;
}

static void delivery_return(struct daemon *d)
{
	atomic_fetch_sub_explicit(&d->delivery.callers, 1, memory_order_acq_rel);
	pthread_mutex_unlock(&d->delivery.lock);
}

/* --- queue --------------------------------------------------------------------------------------
 */

static const char *state_word(enum delivery_state state)
{
	static const char *const words[] = {
#define X(name, word) [DELIVERY_##name] = word,
		DELIVERY_STATES(X)
#undef X
	};

	return words[state];
}

static void print_status(void *arg, const struct delivery_status *status)
{
	char id[QUEUE_ID_TEXT_SIZE];
	FILE *out = arg;

	queue_id_format(status->queue_id, id);
	fprintf(out, "%s %s %u %llu %s\n", id, state_word(status->state), status->attempts,
		(unsigned long long)status->next_try_us, status->last_reply);
}

static int run_status(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct daemon *d = daemon;

	(void)argc, (void)argv;
	delivery_list(delivery_borrow(d), print_status, out);
	delivery_return(d);
	return 0;
}

/* "ID..." or "ALL" */
static int each_id(struct daemon *d, unsigned argc, const char *const *argv, FILE *out,
	unsigned (*act)(struct delivery *delivery, uint64_t queue_id))
{
	struct delivery *delivery;
	unsigned touched = 0;
	int error = argc ? 0 : -EINVAL;

	if (error)
		fputs("name queue ids, or ALL\n", out);
	delivery = delivery_borrow(d);
	for (unsigned i = 0; i < argc; i++) {
		uint64_t id = 0;

		if (strcmp(argv[i], "ALL") != 0 && queue_id_parse(bytes_str(argv[i]), &id) != 0) {
			fprintf(out, "%s is no queue id\n", argv[i]);
			error = -EINVAL;
			continue;
		}
		touched += act(delivery, id);
	}
	delivery_return(d);
	if (!error)
		fprintf(out, "%u\n", touched);
	return error;
}

static int run_hold(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	return each_id(daemon, argc, argv, out, delivery_hold);
}

static int run_release(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	return each_id(daemon, argc, argv, out, delivery_unhold);
}

static int run_flush(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	return each_id(daemon, argc, argv, out, delivery_flush);
}

static int run_requeue(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	return each_id(daemon, argc, argv, out, delivery_requeue);
}

static int run_delete(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	return each_id(daemon, argc, argv, out, delivery_delete);
}

/* --- counters -----------------------------------------------------------------------------------
 */

static void print_counter(
	void *arg, const char *set, const char *name, const char *help, uint64_t value)
{
	(void)help;
	fprintf(arg, "%s %s %llu\n", set, name, (unsigned long long)value);
}

static int run_stats(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct daemon *d = daemon;

	(void)argc, (void)argv;
	counters_each(&d->counters, print_counter, out);
	return 0;
}

/* --- traces -------------------------------------------------------------------------------------
 */

struct wanted {
	uint64_t queue_id;
	FILE *out;
	bool json;
};

static void print_json_string(FILE *out, const char *text)
{
	char buffer[4096];
	struct text string;

	text_init(&string, buffer, sizeof(buffer));
	json_text_put(&string, bytes_str(text));
	fwrite(buffer, 1, string.len, out);
}

static void print_wanted(void *arg, const struct delivery_status *status)
{
	struct wanted *wanted = arg;

	if (status->queue_id != wanted->queue_id)
		return;
	if (!wanted->json) {
		fprintf(wanted->out, "in the queue: %s after %u attempts%s%s\n",
			state_word(status->state), status->attempts,
			status->last_reply[0] ? ": " : "", status->last_reply);
		return;
	}
	fprintf(wanted->out,
		",\"queue\":\"%s\",\"attempts\":%u,\"last_reply\":", state_word(status->state),
		status->attempts);
	print_json_string(wanted->out, status->last_reply);
}

static bool find_trace(struct daemon *d, uint64_t queue_id, struct text *record)
{
	bool found = false;

	for (unsigned i = 0; i < d->n_workers && !found; i++)
		found = d->workers[i]->traces &&
			trace_ring_find(d->workers[i]->traces, queue_id, record);
	return found;
}

static void print_queue(struct daemon *d, struct wanted *wanted)
{
	delivery_list(delivery_borrow(d), print_wanted, wanted);
	delivery_return(d);
}

static int print_trace(struct daemon *d, struct wanted *wanted, struct bytes record)
{
	char *room = malloc(TRACE_WORDS_MAX), id[QUEUE_ID_TEXT_SIZE];
	struct text words;

	if (!room)
		return -ENOMEM;
	text_init(&words, room, TRACE_WORDS_MAX);
	if (wanted->json) {
		trace_format_json(record, &words);
		fprintf(wanted->out, "{\"id\":\"%s\",\"events\":%.*s",
			queue_id_format(wanted->queue_id, id), BYTES_FMT(text_bytes(&words)));
		print_queue(d, wanted);
		fputs("}\n", wanted->out);
	} else {
		trace_format_text(record, &words);
		fwrite(room, 1, words.len, wanted->out);
		print_queue(d, wanted);
	}
	free(room);
	return 0;
}

/* "ID [json]": what is remembered of a recent mail, and where it is in the queue. */
static int run_trace(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct wanted wanted = {.out = out, .json = argc == 2 && strcmp(argv[1], "json") == 0};
	char room[TRACE_RING_RECORD + 1];
	struct text record;

	if (argc != 1u + wanted.json || queue_id_parse(bytes_str(argv[0]), &wanted.queue_id) != 0) {
		fputs("name one queue id\n", out);
		return -EINVAL;
	}
	text_init(&record, room, sizeof(room));
	if (!find_trace(daemon, wanted.queue_id, &record))
		return -ENOENT;
	return print_trace(daemon, &wanted, text_bytes(&record));
}

const struct control_command daemon_commands[] = {
	{"status", run_status},
	{"hold", run_hold},
	{"release", run_release},
	{"flush", run_flush},
	{"requeue", run_requeue},
	{"delete", run_delete},
	{"stats", run_stats},
	{"trace", run_trace},
	{"deny", daemon_access_deny},
	{"allow", daemon_access_allow},
	{"access-remove", daemon_access_remove},
	{"access-list", daemon_access_show},
	{"capture-start", daemon_capture_start},
	{"capture-read", daemon_capture_read},
	{"capture-stop", daemon_capture_stop},
};

const unsigned daemon_n_commands = sizeof(daemon_commands) / sizeof(daemon_commands[0]);
