#include "spool/log/recover_priv.h"

#include <errno.h>

#include "spool/log/snapshot.h"

/* The index as it was written last, back into the table of undelivered mail. */

#define SNAPSHOT_BYTES_MAX (UINT64_C(4) << 30)

/*
 * Whether the segment of a mail that is in the index is rightly gone. They go oldest first once
 * their mails are done, and then those that say so: if that was not so, the mail was copied
 * forward, and is found there. A file that is still there and was not recognised has rotted.
 */
static bool rightly_gone(
	struct spool_log *log, struct recover_files *f, uint64_t number, struct text *why)
{
	if (recover_listed(f->segments, f->n_segments, number)) {
		recover_rotten(log, f, number, why);
		return false;
	}
	return !log->segments.first || number < log->segments.first->number;
}

static int load_parts(struct spool_log *log, const struct snapshot_item *saved,
	struct item_extents **parts, bool *broken)
{
	for (uint32_t i = 0; i < saved->n_parts; i++) {
		uint64_t number, octets;
		struct segment *segment;

		snapshot_part(saved, i, &number, &octets);
		segment = segment_table_find(&log->segments, number);
		if (!segment)
			*broken = true;
		else if (item_extents_add(parts, segment, octets) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int load_item(struct spool_log *log, struct recover_files *f,
	const struct snapshot_item *saved, struct text *why)
{
	struct segment *segment = segment_table_find(&log->segments, saved->segment);
	struct item_extents *parts = NULL;
	struct spool_item *item;
	bool broken = !segment;

	/* In a segment that is replayed it is found again. */
	if (saved->segment >= log->snapshot_number)
		return 0;
	if (!segment && rightly_gone(log, f, saved->segment, why))
		return f->error;
	if (load_parts(log, saved, &parts, &broken) != 0)
		return -ENOMEM;
	item = recover_item(log, saved->queue_id, saved->n_recipients);
	if (!item)
		return -ENOMEM;
	for (uint32_t i = 0; i < saved->n_recipients; i++)
		if (snapshot_done_word(saved, i / 64) >> (i % 64) & 1 && item_set_done(item, i))
			item->remaining--;
	item_shelve(item, saved->shelf, saved->since_s);
	item->relay = saved->relay;
	item->broken = broken;
	if (segment)
		item_place(item, segment, saved->offset, saved->size, parts);
	else
		item_extents_free(parts);
	return 0;
}

/* Everything that is there is replayed instead. */
static int without_index(struct spool_log *log, struct recover_files *f, struct text *why)
{
	f->bad_index = true;
	counter_inc(&log->counters.v[SPOOL_BAD_REGIONS]);
	text_printf(why, "the index does not check, all segments are read; ");
	return recover_count_on(log, f);
}

int recover_load_index(struct spool_log *log, struct recover_files *f, struct text *why)
{
	struct log_io_buffer b = {0};
	struct snapshot_head head;
	struct snapshot_item item;
	struct cursor items;
	int r = log_io_slurp(log->io, log->dir, SNAPSHOT_NAME, SNAPSHOT_BYTES_MAX, &b);

	if (r == -ENOENT)
		return 0;
	/* As with segments: lack of memory or descriptors says nothing about it. */
	if (r != 0 && r != -EIO && r != -EFBIG)
		return r;
	if (r == 0)
		r = snapshot_open(bytes_of(b.data, b.len), &head, &items);
	if (r != 0) {
		log_io_buffer_free(&b);
		return without_index(log, f, why);
	}
	log->snapshot_number = log->snapshot_started = head.number;
	/* Where no segment is left its number is the last there was: below it nothing is replayed.
	 */
	if (head.number > log->last_number)
		log->last_number = head.number;
	atomic_store(&log->snapshot_written, head.number);
	recover_saw_queue_id(log, head.highest_queue_id);
	recover_saw_sequence(log, head.sequence, head.batch);
	for (uint64_t i = 0; r == 0 && i < head.count && snapshot_next(&items, &item); i++)
		r = load_item(log, f, &item, why);
	log_io_buffer_free(&b);
	return r;
}
