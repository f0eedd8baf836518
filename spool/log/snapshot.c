#include "spool/log/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "spool/log/wire.h"

#define SNAPSHOT_MAGIC  UINT64_C(0x3158444e4e545350) /* "PSTNNDX1" */
#define SNAPSHOT_MAKING "index-making"
#define ITEM_SIZE       40u
#define PART_SIZE       16u

/* The file's head. */
enum {
	AT_MAGIC = 0,
	AT_CRC = 8,
	AT_BATCH = 12,
	AT_NUMBER = 16,
	AT_HIGHEST = 24,
	AT_SEQUENCE = 32,
	AT_COUNT = 40,
	AT_LENGTH = 48,
	HEAD_SIZE = 56,
};

/* An item's head; then its words of done, then its parts. */
enum {
	I_QUEUE_ID = 0,
	I_SEGMENT = 8,
	I_OFFSET = 16,
	I_SIZE = 20,
	I_PARTS = 24,
	I_RECIPIENTS = 28,
	I_SHELF = 30,
	I_RELAY = 31,
	I_WORDS = 32,
	I_SINCE = 36,
};

static size_t item_octets(const struct spool_item *item)
{
	return ITEM_SIZE + 8u * (size_t)item_done_words(item) +
	       PART_SIZE * (size_t)(item->extents ? item->extents->count : 0);
}

static uint8_t *put_item(uint8_t *at, struct spool_item *item)
{
	uint32_t n_parts = item->extents ? item->extents->count : 0;
	uint32_t words = item_done_words(item);

	memset(at, 0, ITEM_SIZE);
	wire_put64(at + I_QUEUE_ID, item->queue_id);
	wire_put64(at + I_SEGMENT, item->segment->number);
	wire_put32(at + I_OFFSET, item->offset);
	wire_put32(at + I_SIZE, item->size);
	wire_put32(at + I_PARTS, n_parts);
	wire_put16(at + I_RECIPIENTS, item->n_recipients);
	at[I_SHELF] = (uint8_t)item_shelf(item);
	at[I_RELAY] = item->relay;
	wire_put32(at + I_WORDS, words);
	wire_put32(at + I_SINCE, atomic_load_explicit(&item->shelved_s, memory_order_relaxed));
	at += ITEM_SIZE;
	for (uint32_t i = 0; i < words; i++, at += 8)
		wire_put64(at, atomic_load_explicit(&item_done_map(item)[i], memory_order_relaxed));
	for (uint32_t i = 0; i < n_parts; i++, at += PART_SIZE) {
		wire_put64(at, item->extents->parts[i].segment->number);
		wire_put64(at + 8, item->extents->parts[i].octets);
	}
	return at;
}

static void put_head(struct log_snapshot *s, const struct spool_log *log)
{
	wire_put64(s->data + AT_MAGIC, SNAPSHOT_MAGIC);
	wire_put32(s->data + AT_BATCH, log->batch.number);
	wire_put64(s->data + AT_NUMBER, s->number);
	wire_put64(s->data + AT_HIGHEST, log->highest_queue_id);
	wire_put64(s->data + AT_SEQUENCE, log->batch.sequence);
	wire_put64(s->data + AT_COUNT, log->items.count);
	wire_put64(s->data + AT_LENGTH, s->len);
	wire_put32(s->data + AT_CRC, crc32c(0, s->data + AT_BATCH, s->len - AT_BATCH));
}

struct log_snapshot *snapshot_take(struct spool_log *log, uint64_t number)
{
	struct log_snapshot *s;
	size_t len = HEAD_SIZE;
	uint8_t *at;

	for (uint64_t i = 0; i < log->items.n_slots; i++)
		if (log->items.slots[i])
			len += item_octets(log->items.slots[i]);
	s = malloc(sizeof(*s) + len);
	if (!s)
		return NULL;
	s->number = number;
	s->len = len;
	at = s->data + HEAD_SIZE;
	for (uint64_t i = 0; i < log->items.n_slots; i++)
		if (log->items.slots[i])
			at = put_item(at, log->items.slots[i]);
	put_head(s, log);
	return s;
}

int snapshot_open(struct bytes file, struct snapshot_head *head, struct cursor *items)
{
	struct snapshot_item item;
	struct cursor check;

	if (file.len < HEAD_SIZE || wire_get64(file.data + AT_MAGIC) != SNAPSHOT_MAGIC ||
		wire_get64(file.data + AT_LENGTH) < HEAD_SIZE ||
		wire_get64(file.data + AT_LENGTH) > file.len)
		return -EBADMSG;
	file.len = wire_get64(file.data + AT_LENGTH);
	if (wire_get32(file.data + AT_CRC) != crc32c(0, file.data + AT_BATCH, file.len - AT_BATCH))
		return -EBADMSG;
	head->batch = wire_get32(file.data + AT_BATCH);
	head->number = wire_get64(file.data + AT_NUMBER);
	head->highest_queue_id = wire_get64(file.data + AT_HIGHEST);
	head->sequence = wire_get64(file.data + AT_SEQUENCE);
	head->count = wire_get64(file.data + AT_COUNT);
	*items = check = cursor_of(bytes_from(file, HEAD_SIZE));
	for (uint64_t i = 0; i < head->count; i++)
		if (!snapshot_next(&check, &item))
			return -EBADMSG;
	return cursor_done(&check) ? 0 : -EBADMSG;
}

bool snapshot_next(struct cursor *items, struct snapshot_item *item)
{
	struct bytes head;
	uint32_t words;

	if (!cursor_take(items, ITEM_SIZE, &head))
		return false;
	item->queue_id = wire_get64(head.data + I_QUEUE_ID);
	item->segment = wire_get64(head.data + I_SEGMENT);
	item->offset = wire_get32(head.data + I_OFFSET);
	item->size = wire_get32(head.data + I_SIZE);
	item->n_parts = wire_get32(head.data + I_PARTS);
	item->n_recipients = wire_get16(head.data + I_RECIPIENTS);
	item->shelf = (enum spool_shelf)head.data[I_SHELF];
	item->relay = head.data[I_RELAY] != 0;
	item->since_s = wire_get32(head.data + I_SINCE);
	words = wire_get32(head.data + I_WORDS);
	return item->shelf < SPOOL_N_SHELVES && item->n_recipients > 0 &&
	       item->n_recipients <= SPOOL_MAX_RECIPIENTS &&
	       words == (item->n_recipients + 63u) / 64u &&
	       cursor_take(items, (size_t)words * 8, &item->done) &&
	       cursor_take(items, (size_t)item->n_parts * PART_SIZE, &item->parts);
}

uint64_t snapshot_done_word(const struct snapshot_item *item, uint32_t index)
{
	return wire_get64(item->done.data + 8 * (size_t)index);
}

void snapshot_part(
	const struct snapshot_item *item, uint32_t index, uint64_t *segment, uint64_t *octets)
{
	*segment = wire_get64(item->parts.data + PART_SIZE * (size_t)index);
	*octets = wire_get64(item->parts.data + PART_SIZE * (size_t)index + 8);
}

void snapshot_consider(struct spool_log *log)
{
	uint64_t every = log->items.count <= SNAPSHOT_FEW_MAILS ? 1 : SNAPSHOT_EVERY;
	uint64_t number = log->last_number;
	struct log_snapshot *none = NULL, *s;

	log->snapshot_number = atomic_load_explicit(&log->snapshot_written, memory_order_acquire);
	if (number < log->snapshot_started + every ||
		atomic_load_explicit(&log->snapshot_to_write, memory_order_relaxed))
		return;
	s = snapshot_take(log, number);
	if (!s)
		return;
	if (atomic_compare_exchange_strong(&log->snapshot_to_write, &none, s)) {
		log->snapshot_started = number;
		log->wants_fill = true;
		counter_inc(&log->counters.v[SPOOL_SNAPSHOTS]);
	} else {
		free(s);
	}
}

static int write_file(struct spool_log *log, const struct log_snapshot *s)
{
	const struct spool_log_io *io = log->io;
	size_t padded = (s->len + LOG_IO_BLOCK - 1) & ~(size_t)(LOG_IO_BLOCK - 1);
	int fd = io->open(io->ctx, log->dir, SNAPSHOT_MAKING, LOG_IO_CREATE);
	uint8_t *copy;
	int r;

	if (fd < 0)
		return fd;
	/* Direct writes need whole blocks; the length in the head of the file counts. */
	copy = aligned_alloc(LOG_IO_BLOCK, padded);
	r = copy ? 0 : -ENOMEM;
	if (r == 0) {
		memcpy(copy, s->data, s->len);
		memset(copy + s->len, 0, padded - s->len);
		r = log_io_write_all(io, fd, copy, padded, 0);
	}
	if (r == 0)
		r = io->sync(io->ctx, fd);
	free(copy);
	io->close(io->ctx, fd);
	if (r == 0)
		r = io->rename(io->ctx, log->dir, SNAPSHOT_MAKING, SNAPSHOT_NAME);
	return r == 0 ? io->sync_dir(io->ctx, log->dir) : r;
}

bool snapshot_write(struct spool_log *log)
{
	struct log_snapshot *s =
		atomic_load_explicit(&log->snapshot_to_write, memory_order_acquire);

	if (!s)
		return false;
	if (write_file(log, s) == 0)
		atomic_store_explicit(&log->snapshot_written, s->number, memory_order_release);
	free(s);
	atomic_store_explicit(&log->snapshot_to_write, NULL, memory_order_release);
	return true;
}
