#include "spool/log/recover_priv.h"

#include <errno.h>
#include <stdlib.h>

void recover_saw_queue_id(struct spool_log *log, uint64_t queue_id)
{
	if (queue_id > log->highest_queue_id)
		log->highest_queue_id = queue_id;
}

void recover_saw_sequence(struct spool_log *log, uint64_t sequence, uint32_t batch)
{
	if (sequence > log->batch.sequence)
		log->batch.sequence = sequence;
	if (batch > log->batch.number)
		log->batch.number = batch;
}

static void bad(struct spool_log *log, struct segment *segment, struct text *why, const char *what,
	uint32_t from, uint32_t to)
{
	segment->bad = true;
	counter_inc(&log->counters.v[SPOOL_BAD_REGIONS]);
	text_printf(why, "segment %llu octets %u to %u: %s; ", (unsigned long long)segment->number,
		from, to, what);
}

/* Takes the mail out of the index. */
static void forget(struct spool_log *log, uint64_t queue_id)
{
	struct spool_item *item = item_table_take(&log->items, queue_id);

	if (item) {
		item_unplace(item);
		spool_item_release(item);
	}
}

struct spool_item *recover_item(struct spool_log *log, uint64_t queue_id, uint32_t n_recipients)
{
	struct spool_item *item = item_table_find(&log->items, queue_id);

	if (item)
		return item->n_recipients == n_recipients ? item : NULL;
	item = item_new(queue_id, n_recipients);
	if (item && item_table_put(&log->items, item) != 0) {
		spool_item_release(item);
		return NULL;
	}
	return item;
}

/*
 * The segments of the extents. One that is gone breaks the mail, unless a later record tells that
 * it was done or copied forward, which is why the segment could go.
 */
static int parts_of(struct spool_log *log, const struct record_commit *commit,
	struct item_extents **parts, bool *broken)
{
	struct segment *segment = NULL;

	for (uint32_t i = 0; i < commit->n_extents; i++) {
		struct record_extent x = record_commit_extent(commit, i);

		if (!segment || segment->number != x.segment)
			segment = segment_table_find(&log->segments, x.segment);
		if (!segment)
			*broken = true;
		else if (item_extents_add(parts, segment, x.octets) != 0)
			return -ENOMEM;
	}
	return 0;
}

static void apply_commit(struct spool_log *log, struct segment *segment, const struct record *r,
	uint32_t offset, uint32_t size, struct text *why)
{
	struct item_extents *parts = NULL;
	struct record_commit commit;
	struct spool_item *item;
	bool broken = false;

	if (record_commit_decode(r->payload, &commit) != 0) {
		bad(log, segment, why, "a commit record that makes no sense", offset,
			offset + size);
		return;
	}
	recover_saw_queue_id(log, commit.envelope.queue_id);
	if (parts_of(log, &commit, &parts, &broken) != 0) {
		item_extents_free(parts);
		return;
	}
	item = recover_item(log, commit.envelope.queue_id, commit.envelope.n_recipients);
	if (!item) {
		item_extents_free(parts);
		bad(log, segment, why, "a second mail of the same id", offset, offset + size);
		return;
	}
	if (commit.envelope.flags & SPOOL_MAIL_HOLD && !item->segment)
		item_shelve(item, SPOOL_ON_HOLD,
			(uint32_t)(commit.envelope.received_unix_us / 1000000));
	item->relay = (commit.envelope.flags & SPOOL_MAIL_RELAY) != 0;
	item->broken = broken;
	item_place(item, segment, offset, size, parts);
}

static void apply_note(struct spool_log *log, const struct record *r)
{
	struct record_note note;
	struct spool_item *item;

	if (record_note_decode(r, &note) != 0)
		return;
	recover_saw_queue_id(log, note.queue_id);
	item = item_table_find(&log->items, note.queue_id);
	if (!item || (log->keep_ended && note.type == RECORD_DONE))
		return;
	if (note.type == RECORD_HELD)
		item_shelve(item, note.shelf, note.since_s);
	if (note.type == RECORD_DONE && item_set_done(item, note.recipient) &&
		--item->remaining == 0)
		forget(log, note.queue_id);
}

void recover_apply(struct spool_log *log, struct segment *segment, const struct record *r,
	uint32_t offset, uint32_t size, struct text *why)
{
	struct bytes content;
	uint64_t queue_id;

	recover_saw_sequence(log, r->sequence + 1, r->batch + 1);
	switch (r->type) {
	case RECORD_COMMIT: apply_commit(log, segment, r, offset, size, why); break;
	case RECORD_DONE:
	case RECORD_HELD:
	case RECORD_ABORT: apply_note(log, r); break;
	case RECORD_EXTENT:
		if (record_extent_decode(r->payload, &queue_id, &content) == 0)
			recover_saw_queue_id(log, queue_id);
		break;
	case RECORD_PAD: break;
	}
}

static void replay(
	struct spool_log *log, struct segment *segment, struct bytes octets, struct text *why)
{
	bool open_end = segment->end == SCAN_END_UNKNOWN;
	uint32_t offset = 0;
	struct record r;
	struct scan s;

	scan_init(&s, octets, segment->salt, segment->first_sequence, segment->first_batch,
		segment->end);
	for (;;) {
		switch (scan_next(&s, &r, &offset)) {
		case SCAN_RECORD:
			recover_apply(log, segment, &r, offset, s.at - offset, why);
			continue;
		case SCAN_GAP: bad(log, segment, why, "do not check", s.gap_from, s.at); continue;
		case SCAN_END: break;
		}
		break;
	}
	if (open_end)
		segment->end = s.at;
	if (open_end && !s.synced && s.at > SEGMENT_HEADER_SIZE)
		counter_inc(&log->counters.v[SPOOL_TORN_TAILS]);
}

static int read_segment(struct spool_log *log, struct segment *segment, struct log_io_buffer *b)
{
	char name[SEGMENT_NAME_SIZE];
	int r;

	segment_name(segment->number, name);
	r = log_io_slurp(log->io, log->dir, name, LOG_SEGMENT_BYTES_MAX, b);
	segment->file_octets = b->len;
	return r;
}

static int replay_segment(
	struct spool_log *log, struct segment *segment, struct log_io_buffer *b, struct text *why)
{
	int r = read_segment(log, segment, b);

	/* Only what the disk says is about the segment; lack of memory or descriptors is about us.
	 */
	if (r != 0 && r != -EIO)
		return r;
	counter_inc(&log->counters.v[SPOOL_REPLAYED]);
	if (r == 0)
		replay(log, segment, bytes_of(b->data, b->len), why);
	else
		bad(log, segment, why, "cannot be read", 0, (uint32_t)b->len);
	if (segment->end == SCAN_END_UNKNOWN)
		segment->end = 0;
	return 0;
}

static int replay_all(struct spool_log *log, struct text *why)
{
	struct log_io_buffer b = {0};
	int r = 0;

	for (struct segment *s = log->segments.first; r == 0 && s; s = s->next) {
		if (s->number >= log->snapshot_number)
			r = replay_segment(log, s, &b, why);
		else if (s->end == SCAN_END_UNKNOWN)
			s->end = (uint32_t)log->segment_bytes;
	}
	log_io_buffer_free(&b);
	return r;
}

/* What is broken and not known to be done: its octets are gone. */
static void drop_broken(struct spool_log *log, struct text *why)
{
	for (uint64_t i = 0; i < log->items.n_slots;) {
		const struct spool_item *item = log->items.slots[i];

		if (!item || !item->broken) {
			i++;
			continue;
		}
		counter_inc(&log->counters.v[SPOOL_LOST]);
		if (!log->keep_ended)
			text_printf(why, "mail %llu lay in a segment that is gone; ",
				(unsigned long long)item->queue_id);
		forget(log, item->queue_id); /* and another may move to this slot */
	}
}

/* All undelivered mail in the order of queue ids, each held once more. */
static int by_queue_id(const void *a, const void *b)
{
	const struct spool_item *x = *(struct spool_item *const *)a;
	const struct spool_item *y = *(struct spool_item *const *)b;

	return x->queue_id < y->queue_id ? -1 : x->queue_id > y->queue_id;
}

static int list_recovered(struct spool_log *log)
{
	log->recovered = calloc(log->items.count + 1, sizeof(struct spool_item *));
	if (!log->recovered)
		return -ENOMEM;
	for (uint64_t i = 0; i < log->items.n_slots; i++) {
		struct spool_item *item = log->items.slots[i];

		if (!item)
			continue;
		item_hold(item);
		log->recovered[log->n_recovered++] = item;
	}
	qsort(log->recovered, log->n_recovered, sizeof(struct spool_item *), by_queue_id);
	counter_set(&log->counters.v[SPOOL_RECOVERED], log->n_recovered);
	atomic_store(&log->messages, log->n_recovered);
	return 0;
}

int recover(struct spool_log *log, struct recover_files *files, struct text *why)
{
	int r;

	*files = (struct recover_files){0};
	log->batch.sequence = 1;
	log->batch.number = 1;
	r = recover_list_files(log, files);
	if (r == 0)
		r = recover_find_segments(log, files, why);
	if (r == 0)
		r = log->keep_ended ? 0 : recover_load_index(log, files, why);
	if (r == 0)
		r = replay_all(log, why);
	if (r == 0) {
		drop_broken(log, why);
		r = list_recovered(log);
	}
	if (r != 0)
		text_printf(why, "cannot read the spool: %s", strerror(-r));
	return r;
}
