/*
 * Snapshots of the index: what is undelivered and where it lies, as of the start of a segment, so
 * that a start replays only the segments from there on. The spooler takes them down in memory, the
 * filler's thread writes them: a new file, synced, then renamed over the old.
 */
#pragma once

#include "spool/log/spool_log_priv.h"

/* Segments between snapshots; where there are few mails, one is written with each segment. */
#define SNAPSHOT_EVERY     4u
#define SNAPSHOT_FEW_MAILS 16384u
#define SNAPSHOT_NAME      "index"
#define SNAPSHOT_BAD_NAME  "index.bad"

struct log_snapshot {
	uint64_t number; /* of the segment from which to replay */
	size_t len;
	uint8_t data[];
};

/* A mail in a snapshot; numbers of segments, not yet looked up. */
struct snapshot_item {
	uint64_t queue_id;
	uint64_t segment;
	uint32_t offset, size;
	uint16_t n_recipients;
	enum spool_shelf shelf;
	uint32_t since_s;
	bool relay;
	uint32_t n_parts;
	struct bytes done, parts; /* encoded */
};

/* The index as it stands, to be replayed from segment `number`; for free(). NULL: no memory. */
struct log_snapshot *snapshot_take(struct spool_log *log, uint64_t number);

struct snapshot_head {
	uint64_t number, highest_queue_id, sequence, count;
	uint32_t batch;
};

/* Checks the whole. 0 or -EBADMSG; then snapshot_next() gives the items. */
int snapshot_open(struct bytes file, struct snapshot_head *head, struct cursor *items);
bool snapshot_next(struct cursor *items, struct snapshot_item *item);
uint64_t snapshot_done_word(const struct snapshot_item *item, uint32_t index);
void snapshot_part(
	const struct snapshot_item *item, uint32_t index, uint64_t *segment, uint64_t *octets);

/* The spooler: takes one if it is time. */
void snapshot_consider(struct spool_log *log);
/* The filler: writes the one that waits. True if it did. */
bool snapshot_write(struct spool_log *log);
