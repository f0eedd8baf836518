#include "spool/log/spool_log.h"

#include <errno.h>
#include <stdlib.h>

#include "base/queue_id.h"
#include "spool/log/commit.h"
#include "spool/log/mail.h"
#include "spool/log/recover.h"
#include "spool/log/snapshot.h"
#include "spool/log/tidy.h"

COUNTERS_DEFINE(spool_log, SPOOL_LOG_COUNTERS)

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

static struct spool_log *log_new(const struct spool_log_config *c, const struct spool_log_io *io)
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

static void log_free(struct spool_log *log)
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

static int open_dir(struct spool_log *log, const char *path, bool own, struct text *why)
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
	log = log_new(config, io);
	if (!log) {
		text_printf(why, "no memory for the log");
		return -ENOMEM;
	}
	r = open_dir(log, config->path, true, why);
	if (r == 0)
		r = open_own(log, config, why);
	if (r != 0) {
		log_free(log);
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
	log_free(log);
}

struct spool_item *spool_log_recovered(struct spool_log *log)
{
	while (log->next_recovered < log->n_recovered) {
		struct spool_item *item = log->recovered[log->next_recovered++];

		if (item->segment)
			return item;
		spool_item_release(item); /* done meanwhile */
	}
	free(log->recovered);
	log->recovered = NULL;
	log->n_recovered = log->next_recovered = 0;
	return NULL;
}

uint64_t spool_log_highest_queue_id(const struct spool_log *log)
{
	return log->highest_queue_id;
}

bool spool_log_reserve(struct spool_log *log, uint64_t octets)
{
	return !atomic_load_explicit(&log->unhealthy, memory_order_relaxed) &&
	       atomic_load_explicit(&log->messages, memory_order_relaxed) < log->max_messages &&
	       spares_reserve(&log->spares, octets);
}

void spool_log_unreserve(struct spool_log *log, uint64_t octets)
{
	spares_unreserve(&log->spares, octets);
}

/* True while a failing disk is left alone. */
static bool resting(const struct spool_log *log)
{
	return atomic_load_explicit(&log->unhealthy, memory_order_relaxed) &&
	       log->io->now_us(log->io->ctx) < log->batch.retry_us;
}

static int refused(struct spool_log *log, int error)
{
	counter_inc(&log->counters.v[error == -ENOSPC ? SPOOL_NO_SPACE : SPOOL_UNHEALTHY]);
	return error;
}

static void keep_in_memory(struct spool_log *log, struct spool_item *item, struct bytes payload)
{
	item->memory = item_memory_new(&log->account, payload.data, (uint32_t)payload.len);
	if (!item->memory)
		counter_inc(&log->counters.v[SPOOL_MEMORY_FULL]);
}

static int commit_content(struct spool_log *log, const struct spool_envelope *envelope,
	struct mail_content content, struct spool_cookie cookie)
{
	struct mail_place place;
	struct spool_item *item;
	int r;

	if (resting(log) || commit_may_expect(log) != 0) {
		mail_abort(log, envelope->queue_id);
		return refused(log, -EIO);
	}
	item = item_new(envelope->queue_id, envelope->n_recipients);
	if (!item)
		return -ENOMEM;
	if (envelope->queue_id > log->highest_queue_id)
		log->highest_queue_id = envelope->queue_id;
	r = mail_append(log, envelope, content, &place);
	if (r != 0) {
		spool_item_release(item);
		return refused(log, r);
	}
	pthread_mutex_lock(&log->segments.lock);
	item_place(
		item, place.commit.segment, place.commit.offset, place.commit.size, place.extents);
	pthread_mutex_unlock(&log->segments.lock);
	item->relay = (envelope->flags & SPOOL_MAIL_RELAY) != 0;
	if (envelope->flags & SPOOL_MAIL_HOLD)
		item_shelve(item, SPOOL_ON_HOLD, (uint32_t)(envelope->received_unix_us / 1000000));
	if (!place.extents)
		keep_in_memory(log, item, place.payload);
	atomic_fetch_add_explicit(&log->messages, 1, memory_order_relaxed);
	commit_expect(log, cookie, item);
	return 0;
}

int spool_log_commit(struct spool_log *log, const struct spool_envelope *envelope,
	const struct chunk_range *ranges, unsigned n_ranges, struct spool_cookie cookie)
{
	return commit_content(log, envelope, mail_content_of(ranges, n_ranges), cookie);
}

int spool_log_commit_bytes(struct spool_log *log, const struct spool_envelope *envelope,
	struct bytes content, struct spool_cookie cookie)
{
	return commit_content(log, envelope, mail_content_bytes(content), cookie);
}

int spool_log_extent(struct spool_log *log, uint64_t queue_id, const struct chunk_range *ranges,
	unsigned n_ranges)
{
	int r = resting(log) ? -EIO : mail_extend(log, queue_id, mail_content_of(ranges, n_ranges));

	return r == 0 ? 0 : refused(log, r);
}

void spool_log_abort(struct spool_log *log, uint64_t queue_id)
{
	mail_abort(log, queue_id);
}

static void mail_done(struct spool_log *log, struct spool_item *item)
{
	item_table_take(&log->items, item->queue_id);
	pthread_mutex_lock(&log->segments.lock);
	item_unplace(item);
	pthread_mutex_unlock(&log->segments.lock);
	spool_item_release(item);
	atomic_fetch_sub_explicit(&log->messages, 1, memory_order_relaxed);
}

int spool_log_done(
	struct spool_log *log, uint64_t queue_id, uint32_t recipient, enum spool_outcome outcome)
{
	struct record_note note = {.type = RECORD_DONE,
		.queue_id = queue_id,
		.recipient = recipient,
		.outcome = outcome};
	struct spool_item *item = item_table_find(&log->items, queue_id);
	int r;

	if (!item || spool_item_recipient_done(item, recipient))
		return 0;
	r = commit_note(log, &note);
	if (r != 0)
		return r;
	counter_inc(&log->counters.v[SPOOL_DONE]);
	item_set_done(item, recipient);
	if (--item->remaining == 0)
		mail_done(log, item);
	return 0;
}

int spool_log_shelve(
	struct spool_log *log, uint64_t queue_id, enum spool_shelf shelf, uint32_t since_s)
{
	struct record_note note = {
		.type = RECORD_HELD, .queue_id = queue_id, .shelf = shelf, .since_s = since_s};
	struct spool_item *item = item_table_find(&log->items, queue_id);
	int r;

	if (!item || item_shelf(item) == shelf)
		return 0;
	r = commit_note(log, &note);
	if (r == 0)
		item_shelve(item, shelf, since_s);
	return r;
}

uint64_t spool_log_pending(const struct spool_log *log)
{
	const struct log_batch *b = &log->batch;

	if (resting(log))
		return b->n_acks;
	if (b->active && b->unsynced)
		return b->at + b->len - b->synced_end;
	return b->n_acks || b->say_again;
}

bool spool_log_awaited(const struct spool_log *log)
{
	return log->batch.n_acks > 0;
}

unsigned spool_log_sync(struct spool_log *log, spool_ack_fn ack, void *arg)
{
	struct log_batch *b = &log->batch;
	unsigned n;

	if (!resting(log))
		commit_sync(log);
	n = b->n_settled;
	for (unsigned i = 0; i < n; i++) {
		struct spool_ack one = {
			.cookie = b->acks[i].cookie,
			.queue_id = b->acks[i].queue_id,
			.error = b->acks[i].error,
			.item = b->acks[i].item,
		};

		ack(arg, &one);
	}
	b->n_acks = b->n_settled = 0;
	counter_set(&log->counters.v[SPOOL_MESSAGES], log->items.count);
	return n;
}

bool spool_log_wants_fill(struct spool_log *log)
{
	bool wants = log->wants_fill;

	log->wants_fill = false;
	return wants;
}

bool spool_log_fill(struct spool_log *log)
{
	return snapshot_write(log) || spares_make(&log->spares);
}

/* A failing disk is tried again with a note that says nothing new. */
static void probe(struct spool_log *log)
{
	struct record_note note = {.type = RECORD_ABORT};

	if (commit_note(log, &note) == 0)
		commit_sync(log);
}

void spool_log_tidy(struct spool_log *log)
{
	if (resting(log))
		return;
	if (atomic_load_explicit(&log->unhealthy, memory_order_relaxed))
		probe(log);
	snapshot_consider(log);
	tidy_reclaim(log);
	tidy_copy_forward(log);
}

void spool_log_forget(struct spool_log *log, struct spool_item *item)
{
	struct item_memory *memory;

	pthread_mutex_lock(&log->segments.lock);
	memory = item->memory;
	item->memory = item->segment ? NULL : memory;
	pthread_mutex_unlock(&log->segments.lock);
	if (memory != item->memory)
		item_memory_release(memory);
}

const struct counter_block *spool_log_counters(const struct spool_log *log)
{
	return &log->counters.block;
}

/* What a spool is read for. */
struct reading {
	bool ended; /* mails that are done too */
	uint64_t from_us, to_us;
	int (*fn)(void *arg, const struct spool_view *view);
	void *arg;
};

static int visit(struct spool_log *log, const struct reading *reading)
{
	struct spool_item *item;
	int r = 0;

	while (r == 0 && (item = spool_log_recovered(log))) {
		uint64_t born_us = queue_id_unix_us(item->queue_id);
		struct spool_view view;

		/* The daemon may have ended the mail meanwhile, and its segment may be gone. */
		if (born_us >= reading->from_us && born_us < reading->to_us &&
			spool_view_open(log, item, &view) == 0) {
			r = reading->fn(reading->arg, &view);
			spool_view_close(&view);
		}
		spool_item_release(item);
	}
	return r;
}

static int scan_once(const char *path, const struct reading *what, struct text *why, bool *reading)
{
	struct spool_log_config config = {.path = path};
	struct recover_files files = {0};
	struct spool_log *log = log_new(&config, NULL);
	int r;

	*reading = false;
	if (!log) {
		text_printf(why, "no memory for the log");
		return -ENOMEM;
	}
	log->keep_ended = what->ended;
	r = open_dir(log, path, false, why);
	if (r == 0) {
		*reading = true;
		r = recover(log, &files, why);
	}
	if (r == 0) {
		*reading = false;
		r = visit(log, what);
	}
	recover_files_free(&files);
	log_free(log);
	return r;
}

/* A running daemon removes segments that are done with; one may go between being listed and being
 * read. */
#define SCAN_TRIES 20

static int scan(const char *path, const struct reading *what, struct text *why)
{
	size_t len = why->len;
	bool reading = true;
	int r = -ENOENT;

	for (unsigned i = 0; i < SCAN_TRIES && reading && r == -ENOENT; i++) {
		why->len = len;
		r = scan_once(path, what, why, &reading);
	}
	return r;
}

int spool_log_scan(const char *path, int (*fn)(void *arg, const struct spool_view *view), void *arg,
	struct text *why)
{
	return scan(path, &(struct reading){false, 0, UINT64_MAX, fn, arg}, why);
}

int spool_log_scan_kept(const char *path, uint64_t from_us, uint64_t to_us,
	int (*fn)(void *arg, const struct spool_view *view), void *arg, struct text *why)
{
	return scan(path, &(struct reading){true, from_us, to_us, fn, arg}, why);
}
