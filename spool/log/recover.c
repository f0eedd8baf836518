#include "spool/log/recover.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/log/snapshot.h"

#define SNAPSHOT_BYTES_MAX (UINT64_C(4) << 30)

static void number_add(uint64_t **list, uint64_t *n, uint64_t *cap, uint64_t number, int *error)
{
	if (*n == *cap) {
		uint64_t more = *cap ? *cap * 2 : 64;
		uint64_t *grown = realloc(*list, more * sizeof(**list));

		if (!grown) {
			*error = -ENOMEM;
			return;
		}
		*list = grown;
		*cap = more;
	}
	(*list)[(*n)++] = number;
}

static void on_file(void *arg, const char *name)
{
	struct recover_files *f = arg;
	uint64_t number;

	if (segment_name_parse(name, &number))
		number_add(&f->segments, &f->n_segments, &f->cap_segments, number, &f->error);
	else if (segment_spare_name_parse(name, &number))
		number_add(&f->spares, &f->n_spares, &f->cap_spares, number, &f->error);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int list_files(struct spool_log *log, struct recover_files *f)
{
	int r = log->io->list(log->io->ctx, log->dir, on_file, f);

	if (r == 0)
		r = f->error;
	if (r == 0 && f->n_segments)
		qsort(f->segments, f->n_segments, sizeof(*f->segments), by_number);
	return r;
}

void recover_files_free(struct recover_files *f)
{
	free(f->segments);
	free(f->spares);
	free(f->rotten);
	*f = (struct recover_files){0};
}

static void saw_queue_id(struct spool_log *log, uint64_t queue_id)
{
	if (queue_id > log->highest_queue_id)
		log->highest_queue_id = queue_id;
}

static void saw_sequence(struct spool_log *log, uint64_t sequence, uint32_t batch)
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

static struct spool_item *item_for(struct spool_log *log, uint64_t queue_id, uint32_t n_recipients)
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
	saw_queue_id(log, commit.envelope.queue_id);
	if (parts_of(log, &commit, &parts, &broken) != 0) {
		item_extents_free(parts);
		return;
	}
	item = item_for(log, commit.envelope.queue_id, commit.envelope.n_recipients);
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
	saw_queue_id(log, note.queue_id);
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

	saw_sequence(log, r->sequence + 1, r->batch + 1);
	switch (r->type) {
	case RECORD_COMMIT: apply_commit(log, segment, r, offset, size, why); break;
	case RECORD_DONE:
	case RECORD_HELD:
	case RECORD_ABORT: apply_note(log, r); break;
	case RECORD_EXTENT:
		if (record_extent_decode(r->payload, &queue_id, &content) == 0)
			saw_queue_id(log, queue_id);
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

/* What a file's first block says of it. */
enum first_block {
	BLOCK_TRUE,
	BLOCK_OF_ANOTHER, /* the file was used before, and not written since */
	BLOCK_UNKNOWN,    /* zeros, torn or rotten */
};

static int read_header(struct spool_log *log, uint64_t number, struct segment_header *header,
	uint32_t *salt, enum first_block *block)
{
	uint8_t octets[SEGMENT_HEADER_SIZE];
	char name[SEGMENT_NAME_SIZE];
	int fd, r;

	segment_name(number, name);
	fd = log->io->open(log->io->ctx, log->dir, name, LOG_IO_READ);
	if (fd < 0)
		return fd;
	r = log_io_read_all(log->io, fd, octets, sizeof(octets), 0);
	log->io->close(log->io->ctx, fd);
	if (r != 0)
		return r;
	if (segment_header_decode(bytes_of(octets, sizeof(octets)), header, salt) != 0)
		*block = BLOCK_UNKNOWN;
	else
		*block = header->number == number ? BLOCK_TRUE : BLOCK_OF_ANOTHER;
	return 0;
}

/*
 * Without its header a segment can still be read: the first record names the salt as the record
 * before it. What an earlier use of the file left has lower sequences than the log has by now.
 */
static int guess_header(struct spool_log *log, uint64_t number, struct segment_header *header,
	uint32_t *salt, enum first_block *block)
{
	struct log_io_buffer b = {0};
	char name[SEGMENT_NAME_SIZE];
	struct record r;
	int e;

	segment_name(number, name);
	e = log_io_slurp(log->io, log->dir, name, LOG_SEGMENT_BYTES_MAX, &b);
	if (e == 0 && record_first(bytes_of(b.data, b.len), SEGMENT_HEADER_SIZE, salt, &r) &&
		r.sequence >= log->batch.sequence) {
		*header = (struct segment_header){
			.number = number, .first_sequence = r.sequence, .first_batch = r.batch};
		*block = BLOCK_TRUE;
	}
	log_io_buffer_free(&b);
	return e;
}

static bool listed(const uint64_t *list, uint64_t n, uint64_t number)
{
	for (uint64_t i = 0; i < n; i++)
		if (list[i] == number)
			return true;
	return false;
}

static void rotten(
	struct spool_log *log, struct recover_files *f, uint64_t number, struct text *why)
{
	if (listed(f->rotten, f->n_rotten, number))
		return;
	number_add(&f->rotten, &f->n_rotten, &f->cap_rotten, number, &f->error);
	counter_inc(&log->counters.v[SPOOL_BAD_REGIONS]);
	text_printf(why, "segment %llu: the header does not check; ", (unsigned long long)number);
}

/*
 * A later segment knows where this one ended. If its file is there and was not recognised although
 * something in it was synced, it has rotted.
 */
static void note_end(struct spool_log *log, struct recover_files *f, const struct segment_end *end,
	struct text *why)
{
	struct segment *s = segment_table_find(&log->segments, end->number);

	if (s)
		s->end = end->end;
	else if (end->end > 0 && listed(f->segments, f->n_segments, end->number))
		rotten(log, f, end->number, why);
}

static int take_segment(struct spool_log *log, struct recover_files *f,
	const struct segment_header *h, uint32_t salt, struct text *why)
{
	struct segment *s;

	for (uint32_t i = 0; i < h->n_ends; i++)
		note_end(log, f, &h->ends[i], why);
	s = segment_table_add(&log->segments, h->number, salt);
	if (!s)
		return -ENOMEM;
	s->end = SCAN_END_UNKNOWN;
	s->first_sequence = h->first_sequence;
	s->first_batch = h->first_batch;
	s->created_us = h->created_us;
	saw_queue_id(log, h->highest_queue_id);
	saw_sequence(log, h->first_sequence, h->first_batch);
	return f->error;
}

/* The segments that were written, and where they end as far as later ones say. */
static int find_segments(struct spool_log *log, struct recover_files *f, struct text *why)
{
	struct segment_header *h = malloc(sizeof(*h));
	int r = h ? 0 : -ENOMEM;

	for (uint64_t i = 0; r == 0 && i < f->n_segments; i++) {
		uint64_t number = f->segments[i];
		enum first_block block = BLOCK_UNKNOWN;
		uint32_t salt = 0;

		if (number > log->last_number)
			log->last_number = number;
		r = read_header(log, number, h, &salt, &block);
		if (r == 0 && block == BLOCK_UNKNOWN)
			r = guess_header(log, number, h, &salt, &block);
		if (r == 0 && block == BLOCK_TRUE) {
			r = take_segment(log, f, h, salt, why);
		} else if (r == -EIO) {
			rotten(log, f, number, why);
			r = f->error;
		}
	}
	free(h);
	return r;
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

static int load_item(struct spool_log *log, const struct snapshot_item *saved)
{
	struct segment *segment = segment_table_find(&log->segments, saved->segment);
	struct item_extents *parts = NULL;
	struct spool_item *item;
	bool broken = !segment;

	/* In a segment that is replayed it is found again. */
	if (saved->segment >= log->snapshot_number)
		return 0;
	/*
	 * Segments go oldest first once their mails are done, and then those that say so. If that
	 * was not so, it was copied forward, and is found there.
	 */
	if (!segment && (!log->segments.first || saved->segment < log->segments.first->number))
		return 0;
	if (load_parts(log, saved, &parts, &broken) != 0)
		return -ENOMEM;
	item = item_for(log, saved->queue_id, saved->n_recipients);
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

static int load_snapshot(struct spool_log *log, struct text *why)
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
		/* Everything that is there is replayed instead. */
		counter_inc(&log->counters.v[SPOOL_BAD_REGIONS]);
		text_printf(why, "the index does not check, all segments are read; ");
		log_io_buffer_free(&b);
		return 0;
	}
	log->snapshot_number = log->snapshot_started = head.number;
	/* Where no segment is left its number is the last there was: below it nothing is replayed.
	 */
	if (head.number > log->last_number)
		log->last_number = head.number;
	atomic_store(&log->snapshot_written, head.number);
	saw_queue_id(log, head.highest_queue_id);
	saw_sequence(log, head.sequence, head.batch);
	for (uint64_t i = 0; r == 0 && i < head.count && snapshot_next(&items, &item); i++)
		r = load_item(log, &item);
	log_io_buffer_free(&b);
	return r;
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
	r = list_files(log, files);
	if (r == 0)
		r = find_segments(log, files, why);
	if (r == 0)
		r = log->keep_ended ? 0 : load_snapshot(log, why);
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
