#include "spool/log/commit.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/log/mail.h"
#include "spool/log/tidy.h"

int commit_init(struct spool_log *log, uint32_t batch_bytes)
{
	struct log_batch *b = &log->batch;
	size_t cap = batch_bytes > log->record_max ? batch_bytes : log->record_max;

	/* Room for a segment's header in front and a pad behind. */
	b->cap = (cap + RECORD_HEADER_SIZE + 3 * LOG_IO_BLOCK) & ~(size_t)(LOG_IO_BLOCK - 1);
	b->fd = -1;
	b->data = aligned_alloc(LOG_IO_BLOCK, b->cap);
	return b->data ? 0 : -ENOMEM;
}

/* Room for one more in a list that grows by doubling. */
static int grow(void *list, unsigned n, unsigned *cap, size_t size, unsigned first)
{
	unsigned more = *cap ? *cap * 2 : first;
	void **old = list, *grown;

	if (n < *cap)
		return 0;
	grown = realloc(*old, more * size);
	if (!grown)
		return -ENOMEM;
	*old = grown;
	*cap = more;
	return 0;
}

static void close_active(struct spool_log *log)
{
	struct log_batch *b = &log->batch;

	if (b->fd >= 0)
		log->io->close(log->io->ctx, b->fd);
	b->fd = -1;
	b->active = NULL;
	b->len = 0;
	b->unsynced = false;
	spares_account(&log->spares, log->segments.count, 0);
}

void commit_fini(struct spool_log *log)
{
	struct log_batch *b = &log->batch;

	if (b->fd >= 0)
		log->io->close(log->io->ctx, b->fd);
	for (unsigned i = 0; i < b->n_acks; i++)
		spool_item_release(b->acks[i].item);
	for (unsigned i = 0; i < b->n_moves; i++) {
		free(b->moves[i].extents);
		spool_item_release(b->moves[i].item);
	}
	free(b->moves);
	free(b->data);
	free(b->acks);
	free(b->notes);
}

static void account(struct spool_log *log)
{
	struct log_batch *b = &log->batch;
	uint64_t used = b->at + b->len + LOG_IO_BLOCK;

	spares_account(&log->spares, log->segments.count,
		used < log->segment_bytes ? log->segment_bytes - used : 0);
	counter_set(&log->counters.v[SPOOL_SEGMENTS], log->segments.count);
}

/* The ends of the newest segments, oldest first; all of them closed. */
static uint32_t ends_of(const struct spool_log *log, struct segment_end ends[SEGMENT_MAX_ENDS])
{
	uint32_t skip =
		log->segments.count > SEGMENT_MAX_ENDS ? log->segments.count - SEGMENT_MAX_ENDS : 0;
	uint32_t n = 0;

	for (const struct segment *s = log->segments.first; s; s = s->next) {
		if (skip) {
			skip--;
			continue;
		}
		ends[n++] = (struct segment_end){s->number, s->end};
	}
	return n;
}

static int open_file(struct spool_log *log, const char *name, bool reserve)
{
	int fd, r = spares_take(&log->spares, name, reserve);

	if (r != 0)
		return r;
	fd = log->io->open(log->io->ctx, log->dir, name, LOG_IO_WRITE);
	if (fd < 0)
		log->io->unlink(log->io->ctx, log->dir, name);
	return fd;
}

static int open_segment(struct spool_log *log, bool reserve)
{
	struct log_batch *b = &log->batch;
	struct segment_header header = {
		.number = log->last_number + 1,
		.created_us = log->io->now_us(log->io->ctx),
		.first_sequence = b->sequence,
		.first_batch = b->number,
		.highest_queue_id = log->highest_queue_id,
	};
	char name[SEGMENT_NAME_SIZE];
	struct segment *s;
	uint32_t salt;

	tidy_reclaim(log);
	header.n_ends = ends_of(log, header.ends);
	segment_name(header.number, name);
	b->fd = open_file(log, name, reserve);
	if (b->fd < 0)
		return b->fd;
	log->last_number = header.number;
	salt = segment_header_encode(b->data, &header);
	s = segment_table_add(&log->segments, header.number, salt);
	if (!s) {
		close_active(log);
		return -ENOMEM;
	}
	s->created_us = header.created_us;
	b->active = s;
	b->chain = salt;
	b->at = 0;
	b->len = SEGMENT_HEADER_SIZE;
	b->synced_end = 0;
	b->unsynced = false;
	log->wants_fill = true; /* of a spare in the place of this one */
	account(log);
	return 0;
}

static void seal(struct spool_log *log, enum record_type type, uint32_t flags, uint32_t octets)
{
	struct log_batch *b = &log->batch;
	struct record r = {
		.type = type,
		.flags = flags,
		.batch = b->number,
		.sequence = b->sequence++,
		.previous = b->chain,
		.payload = bytes_of(b->data + b->len + RECORD_HEADER_SIZE, octets),
	};

	b->chain = record_seal(b->data + b->len, b->active->salt, &r);
	b->len += record_size(octets);
	b->unsynced = true;
}

/* Up to a block's edge, and write. */
static int write_out(struct spool_log *log, uint32_t flags)
{
	struct log_batch *b = &log->batch;
	uint32_t octets = (uint32_t)(-(b->len + RECORD_HEADER_SIZE) & (LOG_IO_BLOCK - 1));
	int r;

	memset(b->data + b->len + RECORD_HEADER_SIZE, 0, octets);
	seal(log, RECORD_PAD, flags, octets);
	r = log_io_write_all(log->io, b->fd, b->data, b->len, b->at);
	if (r != 0)
		return r;
	counter_add(&log->counters.v[SPOOL_OCTETS], b->len);
	b->at += b->len;
	b->len = 0;
	return 0;
}

/* Under the lock of the segments. */
static void fail_ack(struct spool_log *log, struct pending_ack *ack, int error)
{
	item_unplace(ack->item);
	spool_item_release(ack->item);
	ack->item = NULL;
	ack->error = error;
	atomic_fetch_sub_explicit(&log->messages, 1, memory_order_relaxed);
	counter_inc(&log->counters.v[SPOOL_COMMIT_FAILED]);
}

static void settle_durable(struct spool_log *log)
{
	struct log_batch *b = &log->batch;

	pthread_mutex_lock(&log->segments.lock);
	for (; b->n_settled < b->n_acks; b->n_settled++) {
		struct pending_ack *ack = &b->acks[b->n_settled];

		item_hold(ack->item); /* the log's own, besides the one for delivery */
		item_table_put(&log->items, ack->item); /* commit_may_expect() made room */
		ack->error = 0;
		counter_inc(&log->counters.v[SPOOL_COMMITTED]);
	}
	for (unsigned i = 0; i < b->n_moves; i++) {
		struct pending_move *m = &b->moves[i];

		if (m->item->segment)
			item_place(m->item, m->segment, m->offset, m->size, m->extents);
		else /* done meanwhile */
			item_extents_free(m->extents);
		spool_item_release(m->item);
	}
	pthread_mutex_unlock(&log->segments.lock);
	b->n_moves = 0;
	if (!b->say_again)
		b->n_notes = 0;
}

static void settle_failed(struct spool_log *log, int error)
{
	struct log_batch *b = &log->batch;

	pthread_mutex_lock(&log->segments.lock);
	for (; b->n_settled < b->n_acks; b->n_settled++) {
		struct pending_ack *ack = &b->acks[b->n_settled];

		fail_ack(log, ack, error);
	}
	for (unsigned i = 0; i < b->n_moves; i++) {
		item_extents_free(b->moves[i].extents);
		spool_item_release(b->moves[i].item);
	}
	pthread_mutex_unlock(&log->segments.lock);
	b->n_moves = 0;
	b->say_again = b->n_notes > 0;
}

static int group_failed(struct spool_log *log, int error)
{
	struct log_batch *b = &log->batch;

	b->active->end = b->synced_end;
	b->active->failed = true;
	mail_segment_failed(log, b->active);
	settle_failed(log, error);
	close_active(log);
	b->failures++;
	b->retry_us = log->io->now_us(log->io->ctx) + LOG_RETRY_US;
	if (b->failures >= LOG_FAILURES_UNHEALTHY)
		atomic_store_explicit(&log->unhealthy, true, memory_order_relaxed);
	counter_inc(&log->counters.v[SPOOL_SYNC_FAILED]);
	return error;
}

static int sync_active(struct spool_log *log)
{
	return log->no_sync ? 0 : log->io->sync(log->io->ctx, log->batch.fd);
}

static int sync_group(struct spool_log *log)
{
	struct log_batch *b = &log->batch;
	int r;

	if (!b->active || !b->unsynced)
		return 0;
	r = write_out(log, RECORD_SYNCED);
	if (r == 0)
		r = sync_active(log);
	if (r != 0)
		return group_failed(log, r);
	counter_inc(&log->counters.v[SPOOL_SYNCS]);
	b->synced_end = (uint32_t)b->at;
	b->active->end = b->synced_end;
	b->number++;
	b->unsynced = false;
	b->failures = 0;
	atomic_store_explicit(&log->unhealthy, false, memory_order_relaxed);
	settle_durable(log);
	account(log);
	return 0;
}

static bool fits(const struct spool_log *log, uint32_t payload_octets)
{
	const struct log_batch *b = &log->batch;

	/* Behind the record there must be room for the pad that ends the batch, maybe two. */
	return b->at + b->len + record_size(payload_octets) + 2 * LOG_IO_BLOCK <=
	       log->segment_bytes;
}

static int make_room(struct spool_log *log, uint32_t payload_octets, bool reserve)
{
	struct log_batch *b = &log->batch;
	int r;

	if (b->active && !fits(log, payload_octets)) {
		r = sync_group(log);
		if (r != 0)
			return r;
		close_active(log);
	}
	if (!b->active) {
		r = open_segment(log, reserve);
		if (r != 0)
			return r;
	}
	if (b->len + record_size(payload_octets) + RECORD_HEADER_SIZE + LOG_IO_BLOCK > b->cap) {
		r = write_out(log, 0);
		if (r != 0)
			return group_failed(log, r);
	}
	return 0;
}

static int begin(struct spool_log *log, uint32_t payload_octets, bool reserve, uint8_t **payload)
{
	int r = make_room(log, payload_octets, reserve);

	if (r == 0)
		*payload = log->batch.data + log->batch.len + RECORD_HEADER_SIZE;
	return r;
}

void commit_end(struct spool_log *log, enum record_type type, uint32_t payload_octets,
	struct log_place *place)
{
	struct log_batch *b = &log->batch;

	if (place) {
		place->segment = b->active;
		place->offset = (uint32_t)(b->at + b->len);
		place->size = record_size(payload_octets);
	}
	seal(log, type, 0, payload_octets);
	if (place)
		place->crc = b->chain;
}

static int append_note(struct spool_log *log, const struct record_note *note)
{
	uint8_t *payload;
	int r = begin(log, RECORD_NOTE_SIZE, true, &payload);

	if (r != 0)
		return r;
	record_note_encode(payload, note);
	commit_end(log, note->type, RECORD_NOTE_SIZE, NULL);
	return 0;
}

/* The notes of a batch whose sync failed go into the next. */
static int say_again(struct spool_log *log)
{
	struct log_batch *b = &log->batch;

	if (!b->say_again)
		return 0;
	for (unsigned i = 0; i < b->n_notes; i++) {
		int r = append_note(log, &b->notes[i]);

		if (r != 0)
			return r;
	}
	b->say_again = false;
	return 0;
}

int commit_begin(struct spool_log *log, uint32_t payload_octets, bool reserve, uint8_t **payload)
{
	int r = say_again(log);

	return r == 0 ? begin(log, payload_octets, reserve, payload) : r;
}

int commit_note(struct spool_log *log, const struct record_note *note)
{
	struct log_batch *b = &log->batch;

	if (b->n_notes == LOG_BATCH_NOTES) {
		int r = commit_sync(log);

		if (r != 0)
			return r;
	}
	if (grow(&b->notes, b->n_notes, &b->notes_cap, sizeof(*b->notes), 64) != 0)
		return -ENOMEM;
	if (say_again(log) != 0 || append_note(log, note) != 0)
		b->say_again = true;
	b->notes[b->n_notes++] = *note;
	return 0;
}

int commit_sync(struct spool_log *log)
{
	int r = say_again(log);

	return r == 0 ? sync_group(log) : r;
}

int commit_may_expect(struct spool_log *log)
{
	struct log_batch *b = &log->batch;

	if (b->n_acks == LOG_BATCH_MAILS)
		return -ENOBUFS;
	/* What is durable must not be refused for lack of memory: it would come back. */
	if (item_table_reserve(&log->items, b->n_acks - b->n_settled + 1) != 0)
		return -ENOMEM;
	return grow(&b->acks, b->n_acks, &b->acks_cap, sizeof(*b->acks), 64);
}

void commit_expect(struct spool_log *log, struct spool_cookie cookie, struct spool_item *item)
{
	struct log_batch *b = &log->batch;

	b->acks[b->n_acks++] = (struct pending_ack){
		.cookie = cookie,
		.queue_id = item->queue_id,
		.item = item,
	};
}

int commit_move(struct spool_log *log, struct spool_item *item, const struct log_place *place,
	struct item_extents *extents)
{
	struct log_batch *b = &log->batch;

	if (grow(&b->moves, b->n_moves, &b->moves_cap, sizeof(*b->moves), 16) != 0)
		return -ENOMEM;
	item_hold(item);
	b->moves[b->n_moves++] =
		(struct pending_move){item, place->segment, place->offset, place->size, extents};
	return 0;
}
