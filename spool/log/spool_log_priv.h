/* The log's inside: one structure, on which the units of this folder work. */
#pragma once

#include "base/counters.h"
#include "spool/log/item.h"
#include "spool/log/log_io.h"
#include "spool/log/record.h"
#include "spool/log/segment.h"
#include "spool/log/spares.h"
#include "spool/log/spool_log.h"

#define LOG_SEGMENT_BYTES_DEFAULT (64u << 20)
#define LOG_SEGMENT_BYTES_MIN     (32u << 10)
#define LOG_SEGMENT_BYTES_MAX     (1u << 30)
#define LOG_BATCH_BYTES_DEFAULT   (1u << 20)
#define LOG_BATCH_BYTES_MAX       (16u << 20)
/* A mail up to about this is one record; the content of larger ones goes ahead as extents. */
#define LOG_RECORD_MAX  (512u << 10)
#define LOG_EXTENT_MAX  (256u << 10)
#define LOG_BATCH_MAILS 4096u /* commits between two syncs */
#define LOG_BATCH_NOTES 8192u /* the same for notes */
/* Failed syncs in a row that make the log unhealthy: nothing is accepted until one goes well. */
#define LOG_FAILURES_UNHEALTHY 2u
#define LOG_RETRY_US           1000000u

#define SPOOL_LOG_COUNTERS(X)                                                                      \
	X(SPOOL_COMMITTED, "spool_committed", "mails on disk and acknowledged")                    \
	X(SPOOL_COMMIT_FAILED, "spool_commit_failed", "mails refused by a failed write or sync")   \
	X(SPOOL_OCTETS, "spool_octets", "octets written to the log")                               \
	X(SPOOL_SYNCS, "spool_syncs", "syncs of a segment")                                        \
	X(SPOOL_SYNC_FAILED, "spool_sync_failed", "writes or syncs that failed: segment given up") \
	X(SPOOL_EXTENTS, "spool_extents", "pieces of large mails written ahead of their commit")   \
	X(SPOOL_ABORTED, "spool_aborted", "mails with extents that were not committed")            \
	X(SPOOL_DONE, "spool_done", "recipients done")                                             \
	X(SPOOL_NOTES_LOST, "spool_notes_lost",                                                    \
		"notes that the log could not take: a mail may be delivered twice")                \
	X(SPOOL_NO_SPACE, "spool_no_space", "mails refused: no room in the log")                   \
	X(SPOOL_UNHEALTHY, "spool_unhealthy", "mails refused: the disk fails")                     \
	X(SPOOL_SEGMENTS, "spool_segments", "segments in the log (gauge)")                         \
	X(SPOOL_MESSAGES, "spool_messages", "undelivered mails (gauge)")                           \
	X(SPOOL_RECLAIMED, "spool_reclaimed", "segments whose mails were all done")                \
	X(SPOOL_COPIED, "spool_copied", "mails copied forward to free a segment")                  \
	X(SPOOL_SNAPSHOTS, "spool_snapshots", "snapshots of the index written")                    \
	X(SPOOL_MEMORY_FULL, "spool_memory_full", "mails not kept in memory: budget used up")      \
	X(SPOOL_RECOVERED, "spool_recovered", "undelivered mails found at start")                  \
	X(SPOOL_REPLAYED, "spool_replayed", "segments read at start: those behind the snapshot")   \
	X(SPOOL_TORN_TAILS, "spool_torn_tails", "segments cut at a torn tail at start")            \
	X(SPOOL_BAD_REGIONS, "spool_bad_regions", "places in the log that did not check")          \
	X(SPOOL_LOST, "spool_lost", "mails the log knew of whose segment is gone")

COUNTERS_DECLARE(spool_log, SPOOL_LOG_COUNTERS)

/* A mail between its append and its acknowledgement. */
struct pending_ack {
	struct spool_cookie cookie;
	uint64_t queue_id;
	struct spool_item *item; /* NULL once failed */
	int error;
};

/* A mail copied forward, until its copy is durable. */
struct pending_move {
	struct spool_item *item;
	struct segment *segment;
	uint32_t offset, size;
	struct item_extents *extents;
};

/* Where a record went. */
struct log_place {
	struct segment *segment;
	uint32_t offset, size;
	uint32_t crc;
};

/* What is written and gathered since the last sync. */
struct log_batch {
	struct segment *active; /* NULL: none open */
	int fd;
	uint8_t *data; /* gathered, not yet written: to go to `at` */
	size_t cap, len;
	uint64_t at;
	uint32_t synced_end; /* of the active segment */
	uint32_t chain;
	uint32_t number;
	uint64_t sequence; /* of the next record */
	bool unsynced;
	struct pending_ack *acks;
	unsigned n_acks, n_settled, acks_cap;
	struct record_note *notes; /* to be said again if the sync fails */
	unsigned n_notes, notes_cap;
	bool say_again;
	struct pending_move *moves;
	unsigned n_moves, moves_cap;
	unsigned failures;
	uint64_t retry_us;
};

/* A mail of which extents were written. */
struct open_mail {
	struct open_mail *next;
	uint64_t queue_id;
	struct record_extent *list;
	uint32_t n_list, cap_list;
	uint64_t octets;
	struct item_extents *extents;
	bool failed;
};

#define LOG_OPEN_BUCKETS 1024u

struct spool_log {
	const struct spool_log_io *io;
	int dir;
	uint64_t segment_bytes;
	uint64_t max_messages;
	uint32_t record_max, extent_max;
	bool no_sync;
	uint64_t retention_us;
	bool keep_ended; /* reading only: mails that are done too */
	struct spares spares;
	struct segment_table segments;
	uint64_t last_number; /* of a segment, ever */
	struct item_table items;
	struct item_account account;
	_Atomic uint64_t messages; /* undelivered, and committed but not yet synced */
	_Atomic bool unhealthy;
	bool wants_fill; /* the filler has something to do */
	uint64_t highest_queue_id;
	struct log_batch batch;
	struct open_mail *open[LOG_OPEN_BUCKETS];
	unsigned n_open;
	uint64_t snapshot_number;  /* the durable snapshot's: older segments are not replayed */
	uint64_t snapshot_started; /* the newest begun */
	struct log_snapshot *_Atomic snapshot_to_write;
	_Atomic uint64_t snapshot_written; /* number of the newest the filler wrote */
	struct spool_item **recovered;
	uint64_t n_recovered, next_recovered;
	struct spool_log_counters counters;
};

/* --- spool_log_open.c --- */

/* With nothing in it yet; NULL: no memory. */
struct spool_log *spool_log_new(
	const struct spool_log_config *config, const struct spool_log_io *io);
void spool_log_free(struct spool_log *log);
/* `own`: to write to it, and for nobody else. 0 or -errno with the reason. */
int spool_log_open_dir(struct spool_log *log, const char *path, bool own, struct text *why);
