/*
 * spool-start: how long the spool takes to open after a crash.
 *
 *	spool-start fill DIRECTORY MEGABYTES [ONE-IN-N]   mails of 100 KB; one in N of them is
 *	                                                  delivered at once; then it ends as if
 *killed spool-start open DIRECTORY                        opens it, and says as JSON how that went
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counters.h"
#include "spool/log/spool_log.h"

#define MAIL_OCTETS 102400u
#define BATCH_MAILS 20u

static void on_ack(void *arg, const struct spool_ack *ack)
{
	(void)arg;
	if (ack->error != 0) {
		fprintf(stderr, "spool-start: a commit failed\n");
		_exit(EX_IOERR);
	}
	spool_item_release(ack->item);
}

static struct spool_log *open_log(const char *path)
{
	struct spool_log_config config = {.path = path};
	struct spool_log *log;
	char buf[512];
	struct text why;

	text_init(&why, buf, sizeof(buf));
	if (spool_log_open(&config, NULL, &log, &why) == 0)
		return log;
	fprintf(stderr, "spool-start: %s\n", text_str(&why));
	exit(EX_IOERR);
}

static void batch(struct spool_log *log, uint64_t *number, unsigned every)
{
	static const struct spool_recipient to = {.address = BYTES("someone@example.org")};
	static uint8_t content[MAIL_OCTETS];
	struct spool_envelope e = {
		.reverse_path = BYTES("sender@example.com"),
		.client = BYTES("mx.example.com [192.0.2.1]"),
		.n_recipients = 1,
		.recipients = &to,
		.prepend = BYTES("Received: from mx.example.com by mx.example.org\r\n"),
		.content_octets = MAIL_OCTETS,
	};
	uint64_t first = *number;

	for (unsigned i = 0; i < BATCH_MAILS; i++) {
		e.queue_id = ++*number;
		memset(content, (int)e.queue_id, sizeof(content));
		if (spool_log_commit_bytes(log, &e, bytes_of(content, sizeof(content)),
			    (struct spool_cookie){{e.queue_id, 0}}) != 0) {
			fprintf(stderr, "spool-start: no room\n");
			_exit(EX_IOERR);
		}
	}
	spool_log_sync(log, on_ack, NULL);
	for (uint64_t id = first + 1; every && id <= *number; id++)
		if (id % every == 0)
			spool_log_done(log, id, 0, SPOOL_DELIVERED);
}

/* What the spooler and the filler do, in one thread. */
static int fill(const char *path, uint64_t megabytes, unsigned every)
{
	struct spool_log *log = open_log(path);
	uint64_t number = 0;

	while (number * MAIL_OCTETS < megabytes << 20) {
		batch(log, &number, every);
		if (spool_log_wants_fill(log)) {
			spool_log_tidy(log);
			while (spool_log_fill(log))
				;
		}
	}
	_exit(0);
}

static uint64_t counter_of(const struct spool_log *log, const char *name)
{
	const struct counter_block *b = spool_log_counters(log);

	for (size_t i = 0; i < b->set->count; i++)
		if (strcmp(b->set->entries[i].name, name) == 0)
			return counter_get(&b->values[i]);
	return 0;
}

/* Of this process: on a busy machine it says more than the wall clock. */
static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int open_again(const char *path)
{
	uint64_t began_us = clock_mono_us(), took_us;
	struct spool_log *log = open_log(path);
	struct spool_item *item;
	uint64_t mails = 0;

	took_us = clock_mono_us() - began_us;
	for (; (item = spool_log_recovered(log)); mails++)
		spool_item_release(item);
	printf("{\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"segments\":%llu,\"replayed\":%llu,"
	       "\"mails\":%llu}\n",
		(double)took_us / 1e6, cpu_seconds(),
		(unsigned long long)counter_of(log, "spool_segments"),
		(unsigned long long)counter_of(log, "spool_replayed"), (unsigned long long)mails);
	fflush(stdout);
	_exit(0); /* as it was, for the next time */
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "open") == 0)
		return open_again(argv[2]);
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], strtoull(argv[3], NULL, 10),
			argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 0);
	fprintf(stderr, "usage: spool-start fill DIRECTORY MEGABYTES [ONE-IN-N]\n"
			"       spool-start open DIRECTORY\n");
	return EX_USAGE;
}
