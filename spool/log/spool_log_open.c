#include <errno.h>
#include <stdlib.h>

#include "spool/log/commit.h"
#include "spool/log/mail.h"
#include "spool/log/recover.h"
#include "spool/log/snapshot.h"
#include "spool/log/tidy.h"

/* The log's life: made, opened with what recovery found in its directory, closed. */

static int check(const struct spool_log_config *c, struct text *why)
{
	if (!c->path) {
		text_printf(why, "no path for the spool");
		return -EINVAL;
	}
	if (c->segment_bytes && (c->segment_bytes < LOG_SEGMENT_BYTES_MIN ||
					c->segment_bytes > LOG_SEGMENT_BYTES_MAX ||
					c->segment_bytes % LOG_IO_BLOCK)) {
		text_printf(why, "segments must be of %u to %u octets, whole blocks of %u",
			LOG_SEGMENT_BYTES_MIN, LOG_SEGMENT_BYTES_MAX, LOG_IO_BLOCK);
		return -EINVAL;
	}
	if (c->batch_bytes > LOG_BATCH_BYTES_MAX) {
		text_printf(why, "a batch is of at most %u octets", LOG_BATCH_BYTES_MAX);
		return -EINVAL;
	}
	return 0;
}

static void configure(struct spool_log *log, const struct spool_log_config *c)
{
	uint64_t part;

	log->segment_bytes = c->segment_bytes ? c->segment_bytes : LOG_SEGMENT_BYTES_DEFAULT;
	log->max_messages = c->max_messages ? c->max_messages : UINT64_MAX;
	log->account.max = c->memory_bytes;
	log->retention_us = c->retention_us;
	log->no_sync = c->durability == SPOOL_NO_SYNC;
	part = log->segment_bytes / 4;
	log->record_max = part < LOG_RECORD_MAX ? (uint32_t)part : LOG_RECORD_MAX;
	log->extent_max = part / 2 < LOG_EXTENT_MAX ? (uint32_t)part / 2 : LOG_EXTENT_MAX;
}

struct spool_log *spool_log_new(const struct spool_log_config *c, const struct spool_log_io *io)
{
	struct spool_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->io = io ? io : &log_io_real;
	log->dir = -1;
	log->batch.fd = -1;
	segment_table_init(&log->segments);
	spool_log_counters_init(&log->counters);
	configure(log, c);
	if (item_table_init(&log->items) != 0) {
		segment_table_fini(&log->segments);
		free(log);
		return NULL;
	}
	return log;
}

void spool_log_free(struct spool_log *log)
{
	mail_fini(log);
	commit_fini(log);
	while (log->next_recovered < log->n_recovered)
		spool_item_release(log->recovered[log->next_recovered++]);
	free(log->recovered);
	free(atomic_load(&log->snapshot_to_write));
	item_table_fini(&log->items);
	segment_table_fini(&log->segments);
	spares_fini(&log->spares);
	if (log->dir >= 0)
		log->io->close(log->io->ctx, log->dir);
	free(log);
}

int spool_log_open_dir(struct spool_log *log, const char *path, bool own, struct text *why)
{
	int r;

	log->dir = log->io->open_dir(log->io->ctx, path, own);
	if (log->dir < 0) {
		text_printf(why, "cannot open the spool %s: %s", path, strerror(-log->dir));
		return log->dir;
	}
	r = own ? log->io->lock_dir(log->io->ctx, log->dir) : 0;
	if (r != 0)
		text_printf(
			why, "the spool %s is in use by another process: %s", path, strerror(-r));
	return r;
}

static bool right_size(struct spool_log *log, const char *name)
{
	int fd = log->io->open(log->io->ctx, log->dir, name, LOG_IO_READ);
	uint64_t octets = 0;
	bool right;

	if (fd < 0)
		return false;
	right = log->io->size(log->io->ctx, fd, &octets) == 0 && octets == log->segment_bytes;
	log->io->close(log->io->ctx, fd);
	return right;
}

static void adopt_spares(struct spool_log *log, const struct recover_files *f)
{
	char name[SEGMENT_NAME_SIZE];

	for (uint64_t i = 0; i < f->n_spares; i++) {
		segment_spare_name(f->spares[i], name);
		if (right_size(log, name))
			spares_found(&log->spares, f->spares[i]);
		else
			log->io->unlink(log->io->ctx, log->dir, name);
	}
}

static bool is_rotten(const struct recover_files *f, uint64_t number)
{
	for (uint64_t i = 0; i < f->n_rotten; i++)
		if (f->rotten[i] == number)
			return true;
	return false;
}

/* Segments that were named but never written become spares; what has rotted is kept aside. */
static void adopt_segments(struct spool_log *log, const struct recover_files *f)
{
	char name[SEGMENT_NAME_SIZE], aside[SEGMENT_NAME_SIZE];

	for (uint64_t i = 0; i < f->n_segments; i++) {
		if (segment_table_find(&log->segments, f->segments[i]))
			continue;
		segment_name(f->segments[i], name);
		segment_bad_name(f->segments[i], aside);
		if (is_rotten(f, f->segments[i]))
			log->io->rename(log->io->ctx, log->dir, name, aside);
		else if (right_size(log, name))
			spares_recycle(&log->spares, name);
		else
			log->io->unlink(log->io->ctx, log->dir, name);
	}
}

/* It must not be taken for the newest at a later start, if it can be read then. */
static int put_aside_index(struct spool_log *log, const struct recover_files *f, struct text *why)
{
	int r = 0;

	if (f->bad_index)
		r = log->io->rename(log->io->ctx, log->dir, SNAPSHOT_NAME, SNAPSHOT_BAD_NAME);
	if (f->bad_index && r == 0)
		r = log->io->sync_dir(log->io->ctx, log->dir);
	if (r != 0)
		text_printf(why, "cannot rename the bad index: %s", strerror(-r));
	return r;
}

static int open_own(struct spool_log *log, const struct spool_log_config *c, struct text *why)
{
	struct recover_files files;
	int r = spares_init(&log->spares, log->io, log->dir, log->segment_bytes, c->max_bytes);

	if (r == 0)
		r = commit_init(log, c->batch_bytes ? c->batch_bytes : LOG_BATCH_BYTES_DEFAULT);
	if (r != 0) {
		text_printf(why, "no memory for the log");
		return r;
	}
	r = recover(log, &files, why);
	if (r == 0)
		r = put_aside_index(log, &files, why);
	if (r == 0) {
		adopt_spares(log, &files);
		adopt_segments(log, &files);
		spares_look(&log->spares);
		spares_account(&log->spares, log->segments.count, 0);
		tidy_reclaim(log);
	}
	recover_files_free(&files);
	return r;
}

int spool_log_open(const struct spool_log_config *config, const struct spool_log_io *io,
	struct spool_log **out, struct text *why)
{
	struct spool_log *log;
	int r = check(config, why);

	*out = NULL;
	if (r != 0)
		return r;
	log = spool_log_new(config, io);
	if (!log) {
		text_printf(why, "no memory for the log");
		return -ENOMEM;
	}
	r = spool_log_open_dir(log, config->path, true, why);
	if (r == 0)
		r = open_own(log, config, why);
	if (r != 0) {
		spool_log_free(log);
		return r;
	}
	*out = log;
	return 0;
}

void spool_log_close(struct spool_log *log)
{
	struct log_snapshot *last;

	if (!log)
		return;
	commit_sync(log);
	snapshot_write(log);
	last = snapshot_take(log, log->last_number);
	if (last) {
		atomic_store(&log->snapshot_to_write, last);
		snapshot_write(log);
	}
	spool_log_free(log);
}
