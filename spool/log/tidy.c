#include "spool/log/tidy.h"

#include <errno.h>

#include "spool/log/commit.h"
#include "spool/log/mail.h"

/*
 * Retention: no mail came to a segment once the next was begun, so the newest is always young. It
 * gives way where new mail would be refused for lack of room otherwise.
 */
static bool is_retained(struct spool_log *log, const struct segment *s)
{
	uint64_t room = atomic_load_explicit(&log->spares.room, memory_order_relaxed);

	return log->retention_us > 0 && room >= TIDY_ROOM_SEGMENTS * log->segment_bytes &&
	       (!s->next ||
		       log->io->now_us(log->io->ctx) < s->next->created_us + log->retention_us);
}

static bool may_go(struct spool_log *log, const struct segment *s)
{
	bool free;

	if (s == log->batch.active || s->live || is_retained(log, s))
		return false;
	pthread_mutex_lock(&log->segments.lock);
	free = s->pins == 0;
	pthread_mutex_unlock(&log->segments.lock);
	return free && (s == log->segments.first || s->number < log->snapshot_number);
}

static int drop_file(struct spool_log *log, const struct segment *s)
{
	char name[SEGMENT_NAME_SIZE], aside[SEGMENT_NAME_SIZE];
	int r;

	segment_name(s->number, name);
	segment_bad_name(s->number, aside);
	if (!s->bad && !s->failed && (s->file_octets == 0 || s->file_octets == log->segment_bytes))
		return spares_recycle(&log->spares, name);
	r = s->bad ? log->io->rename(log->io->ctx, log->dir, name, aside)
		   : log->io->unlink(log->io->ctx, log->dir, name);
	return r == 0 ? log->io->sync_dir(log->io->ctx, log->dir) : r;
}

void tidy_reclaim(struct spool_log *log)
{
	struct segment *next;

	/* Until the notes that ended its mails are durable, a segment is still needed. */
	if (log->batch.n_notes)
		return;
	for (struct segment *s = log->segments.first; s; s = next) {
		next = s->next;
		if (!may_go(log, s))
			continue;
		if (drop_file(log, s) != 0)
			return;
		segment_table_remove(&log->segments, s);
		counter_inc(&log->counters.v[SPOOL_RECLAIMED]);
	}
	counter_set(&log->counters.v[SPOOL_SEGMENTS], log->segments.count);
}

static bool worth_copying(const struct spool_log *log, const struct segment *s)
{
	return s != log->batch.active && !s->bad && !s->failed && !s->copied && s->live > 0 &&
	       s->live <= TIDY_COPY_MAILS &&
	       s->live_octets * TIDY_COPY_FRACTION <= log->segment_bytes;
}

static struct segment *choose(const struct spool_log *log)
{
	for (struct segment *s = log->segments.first; s; s = s->next)
		if (worth_copying(log, s))
			return s;
	return NULL;
}

/* Earlier done and held notes may go with their segments, so they are said again. */
static int copy_notes(struct spool_log *log, const struct spool_item *item)
{
	struct record_note done = {.type = RECORD_DONE, .queue_id = item->queue_id};
	struct record_note held = {
		.type = RECORD_HELD,
		.queue_id = item->queue_id,
		.shelf = item_shelf(item),
		.since_s = atomic_load_explicit(&item->shelved_s, memory_order_relaxed),
	};

	for (uint32_t i = 0; i < item->n_recipients; i++) {
		done.recipient = i;
		if (spool_item_recipient_done(item, i) && commit_note(log, &done) != 0)
			return -EIO;
	}
	return commit_note(log, &held);
}

static int copy_mail(struct spool_log *log, struct spool_item *item)
{
	struct mail_place place;
	struct spool_view view;
	int r = spool_view_open(log, item, &view);

	if (r != 0)
		return r;
	r = mail_append(log, &view.envelope, mail_content_bytes(view.content), &place);
	spool_view_close(&view);
	if (r != 0)
		return r;
	/*
	 * The notes may come to lie in the next segment, and what is in this one be durable first.
	 * So it moves last: until then the segment stays that says the same.
	 */
	r = copy_notes(log, item);
	if (r == 0 && place.commit.segment->failed)
		r = -EIO;
	if (r == 0)
		r = commit_move(log, item, &place.commit, place.extents);
	if (r != 0)
		item_extents_free(place.extents);
	return r;
}

void tidy_copy_forward(struct spool_log *log)
{
	struct segment *s;

	if (log->segments.count < TIDY_COPY_SEGMENTS || log->batch.n_moves)
		return;
	s = choose(log);
	if (!s || atomic_load_explicit(&log->spares.room, memory_order_relaxed) <
			  2 * s->live_octets + log->record_max)
		return;
	s->copied = true; /* once: what cannot be read stays where it is */
	for (uint64_t i = 0; i < log->items.n_slots; i++) {
		struct spool_item *item = log->items.slots[i];

		if (!item || (item->segment != s && !item_extents_in(item->extents, s)))
			continue;
		if (copy_mail(log, item) != 0)
			return;
		counter_inc(&log->counters.v[SPOOL_COPIED]);
	}
}
