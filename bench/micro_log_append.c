/*
 * log-append: mails of 20 KB into the spool's log, synced in batches of about 1 MiB and then done,
 * so that segments are used again; beside 1 MiB writes with fdatasync, one after the other, to a
 * file that was filled ahead. On the file system of TMPDIR, or /var/tmp.
 */
#include "bench/micro.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/log/log_io.h"
#include "spool/log/spool_log.h"

#define MAIL_OCTETS  20480u
#define MAILS        50u
#define WRITE_OCTETS (1u << 20)
#define FILE_OCTETS  (64u << 20)
#define PATH_OCTETS  512
#define WARM_BATCHES 200u /* so that segments come round */

struct state {
	char dir[PATH_OCTETS];
	struct spool_log *log;
	struct chunk_pool pool;
	struct chunk_range content;
	uint64_t next_id, done_id; /* mails below done_id are done */
	int fd;
	off_t at;
	uint8_t *block;
};

static void on_ack(void *arg, const struct spool_ack *ack)
{
	(void)arg;
	if (ack->error != 0) {
		fprintf(stderr, "log-append: a commit failed\n");
		exit(1);
	}
	spool_item_release(ack->item);
}

static uint64_t ours(void *arg)
{
	static const struct spool_recipient to = {.address = BYTES("someone@example.org")};
	struct state *s = arg;
	struct spool_envelope e = {
		.reverse_path = BYTES("sender@example.com"),
		.client = BYTES("mx.example.com [192.0.2.1]"),
		.n_recipients = 1,
		.recipients = &to,
		.prepend = BYTES("Received: from mx.example.com by mx.example.org\r\n"),
		.content_octets = MAIL_OCTETS,
	};

	while (s->done_id < s->next_id)
		spool_log_done(s->log, s->done_id++, 0, SPOOL_DELIVERED);
	for (unsigned i = 0; i < MAILS; i++) {
		e.queue_id = s->next_id++;
		if (spool_log_commit(s->log, &e, &s->content, 1, (struct spool_cookie){{0, 0}}))
			exit(1);
	}
	spool_log_sync(s->log, on_ack, NULL);
	return (uint64_t)MAILS * MAIL_OCTETS;
}

static uint64_t reference(void *arg)
{
	struct state *s = arg;

	if (s->at + WRITE_OCTETS > FILE_OCTETS)
		s->at = 0;
	if (pwrite(s->fd, s->block, WRITE_OCTETS, s->at) != WRITE_OCTETS || fdatasync(s->fd) != 0) {
		perror("log-append");
		exit(1);
	}
	s->at += WRITE_OCTETS;
	return WRITE_OCTETS;
}

static bool open_file(struct state *s)
{
	char path[PATH_OCTETS + 16];

	snprintf(path, sizeof(path), "%s/reference", s->dir);
	s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	s->block = aligned_alloc(LOG_IO_BLOCK, WRITE_OCTETS);
	if (s->fd < 0 || !s->block)
		return false;
	memset(s->block, 'x', WRITE_OCTETS);
	while (s->at + WRITE_OCTETS <= FILE_OCTETS)
		reference(s);
	return true;
}

static bool open_log(struct state *s)
{
	char path[PATH_OCTETS + 16], buf[512];
	struct spool_log_config config = {.path = path, .memory_bytes = 64u << 20};
	struct text why;

	text_init(&why, buf, sizeof(buf));
	snprintf(path, sizeof(path), "%s/spool", s->dir);
	if (spool_log_open(&config, NULL, &s->log, &why) != 0) {
		fprintf(stderr, "log-append: %s\n", text_str(&why));
		return false;
	}
	while (spool_log_fill(s->log))
		;
	if (chunk_pool_init(&s->pool, 4u << 20, NULL) != 0)
		return false;
	s->content.chunk = chunk_get(&s->pool, CHUNK_LARGE);
	memset(chunk_tail(s->content.chunk), 'm', MAIL_OCTETS);
	chunk_publish(s->content.chunk, MAIL_OCTETS);
	s->content.to = MAIL_OCTETS;
	s->next_id = s->done_id = 1;
	for (unsigned i = 0; i < WARM_BATCHES; i++) {
		ours(s);
		spool_log_tidy(s->log);
	}
	return true;
}

static void remove_file(void *arg, const char *name)
{
	char path[2 * PATH_OCTETS];

	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	unlink(path);
}

static void remove_dir(const char *path)
{
	int dir = log_io_real.open_dir(NULL, path, false);

	if (dir < 0)
		return;
	log_io_real.list(NULL, dir, remove_file, (void *)path);
	close(dir);
	rmdir(path);
}

static void teardown(void *arg)
{
	struct state *s = arg;
	char path[PATH_OCTETS + 16];

	if (s->content.chunk)
		chunk_release(s->content.chunk);
	spool_log_close(s->log);
	chunk_pool_fini(&s->pool);
	if (s->fd >= 0)
		close(s->fd);
	free(s->block);
	snprintf(path, sizeof(path), "%s/spool", s->dir);
	remove_dir(path);
	remove_dir(s->dir);
	free(s);
}

static void *setup(const struct micro *micro)
{
	const char *tmp = getenv("TMPDIR");
	struct state *s = calloc(1, sizeof(*s));

	(void)micro;
	if (!s)
		return NULL;
	s->fd = -1;
	snprintf(s->dir, sizeof(s->dir), "%s/log-append.XXXXXX", tmp ? tmp : "/var/tmp");
	if (!mkdtemp(s->dir)) {
		perror("log-append");
		free(s);
		return NULL;
	}
	if (open_file(s) && open_log(s))
		return s;
	teardown(s);
	return NULL;
}

const struct micro micro_log_append = {
	.name = "log-append",
	.unit = "octets/s",
	.setup = setup,
	.ours = ours,
	.reference = reference,
	.teardown = teardown,
	.wall = true,
};
