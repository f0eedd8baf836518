#include "spool/log/spool_log.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/log/commit.h"
#include "spool/log/mail.h"
#include "spool/log/snapshot.h"
#include "spool/log/tidy.h"

COUNTERS_DEFINE(spool_log, SPOOL_LOG_COUNTERS)

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

bool spool_log_takes_notes(const struct spool_log *log, unsigned n)
{
	return log->batch.n_notes + n <= LOG_BATCH_NOTES || !resting(log);
}

static int take_note(struct spool_log *log, const struct record_note *note)
{
	int r = commit_note(log, note);

	if (r != 0)
		counter_inc(&log->counters.v[SPOOL_NOTES_LOST]);
	return r;
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
	r = take_note(log, &note);
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
	r = take_note(log, &note);
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
