#pragma once

#include "spool/spool.h"

/*
 * The log: append-only segments with group commit and recovery (DESIGN §3, FACTS §6c). All calls
 * belong to the spooler's thread, but those marked "any thread". Blocking, except where said.
 */
struct spool_log;
struct spool_log_io; /* log_io.h: the system calls, behind a table so that a simulator can stand in
		      */

enum spool_durability { SPOOL_FSYNC, SPOOL_NO_SYNC };

struct spool_log_config {
	const char *path;
	uint64_t segment_bytes; /* 64 MiB */
	uint64_t max_bytes;     /* of all segments; 0: as the disk allows */
	uint64_t max_messages;
	uint64_t retention_us; /* what is done stays so long, while there is room; 0: not */
	uint64_t memory_bytes; /* committed mail kept in memory for delivery, at most */
	enum spool_durability durability;
	uint32_t batch_bytes; /* a batch is closed at this size */
};

/*
 * Open and recover. What is undelivered comes out of spool_log_recovered() afterwards. `io` NULL:
 * the real one. 0 or -errno; `why` says what and what to do.
 */
int spool_log_open(const struct spool_log_config *config, const struct spool_log_io *io,
	struct spool_log **out, struct text *why);
/* Sync what is pending and close. */
void spool_log_close(struct spool_log *log);

/* The next undelivered mail found at start; NULL when all were given. */
struct spool_item *spool_log_recovered(struct spool_log *log);
/* The highest queue id ever seen in it, to prime the generators. */
uint64_t spool_log_highest_queue_id(const struct spool_log *log);

/*
 * Any thread, no lock: set space aside for a mail of up to `octets` before 354; false means 452.
 * Give it back with spool_log_unreserve() when the mail was committed, refused or aborted.
 */
bool spool_log_reserve(struct spool_log *log, uint64_t octets);
void spool_log_unreserve(struct spool_log *log, uint64_t octets);

/* 16 octets the log carries from a commit to its acknowledgement. */
struct spool_cookie {
	uint64_t word[2];
};

/*
 * Append a mail: copied into the batch, so the ranges may go when it returns. A large mail may have
 * been sent ahead by spool_log_extent() in pieces; then `ranges` is the rest. 0, or -ENOSPC, -EIO
 * (answer 452 / 451; nothing is kept). When 0 was returned the outcome comes from spool_log_sync().
 */
int spool_log_commit(struct spool_log *log, const struct spool_envelope *envelope,
	const struct chunk_range *ranges, unsigned n_ranges, struct spool_cookie cookie);
/* The same for content that lies in one piece: a mail of our own. */
int spool_log_commit_bytes(struct spool_log *log, const struct spool_envelope *envelope,
	struct bytes content, struct spool_cookie cookie);
int spool_log_extent(struct spool_log *log, uint64_t queue_id, const struct chunk_range *ranges,
	unsigned n_ranges);
/* Forget the extents of a mail that will not be committed. */
void spool_log_abort(struct spool_log *log, uint64_t queue_id);

/* Whether it takes so many notes; not while the disk fails, and many wait to be said again. */
bool spool_log_takes_notes(const struct spool_log *log, unsigned n);
/* A recipient's end; durable with the next sync. The mail is gone when all its recipients are done.
 */
int spool_log_done(
	struct spool_log *log, uint64_t queue_id, uint32_t recipient, enum spool_outcome outcome);
/*
 * Note that a mail lies on hold or is dead (or not any more), since that second of Unix time, so
 * that it stays so after a restart.
 */
int spool_log_shelve(
	struct spool_log *log, uint64_t queue_id, enum spool_shelf shelf, uint32_t since_s);

/*
 * An acknowledgement: error 0 (durable: answer 250; `item` is for delivery and owned by the
 * receiver) or -errno.
 */
struct spool_ack {
	struct spool_cookie cookie;
	uint64_t queue_id;
	int error;
	struct spool_item *item;
};

typedef void (*spool_ack_fn)(void *arg, const struct spool_ack *ack);

/* Octets waiting for a sync; 0 means spool_log_sync() has nothing to do. */
uint64_t spool_log_pending(const struct spool_log *log);
/* A mail waits for that: notes alone may wait for company. */
bool spool_log_awaited(const struct spool_log *log);
/* Write and sync the batch; acknowledge in log order. Returns how many were acknowledged. */
unsigned spool_log_sync(struct spool_log *log, spool_ack_fn ack, void *arg);

/* The spooler: whether the filler has something to do since this was asked last. */
bool spool_log_wants_fill(struct spool_log *log);
/* The filler's thread: make the next segments ready. Returns true if it did something. */
bool spool_log_fill(struct spool_log *log);
/* The spooler, when idle or with each new segment: drop segments that are done, copy long-deferred
 * mail forward. */
void spool_log_tidy(struct spool_log *log);

/*
 * Any thread: the envelope and content of an item, from memory or read back from the log and
 * checked. The view's bytes last until spool_view_close().
 */
struct spool_view {
	struct spool_envelope envelope;
	struct bytes content;
	bool partial; /* the content is one piece of it */
	enum spool_shelf shelf;
	uint32_t shelved_s; /* Unix time */
	void *memory;
};
int spool_view_open(struct spool_log *log, const struct spool_item *item, struct spool_view *view);
/*
 * The same, but content that lies in many places is not put together: the view is `partial` then,
 * and holds the first piece. Its segments stay until it is closed.
 */
int spool_view_open_partly(
	struct spool_log *log, const struct spool_item *item, struct spool_view *view);
/* The content of a partial view becomes that from `from` to the end of the piece. 0 or -errno. */
int spool_view_piece(struct spool_view *view, uint64_t from);
void spool_view_close(struct spool_view *view);
/* Any thread: give up the mail's bytes in memory, if the log still has it; for mail that must wait
 * long. */
void spool_log_forget(struct spool_log *log, struct spool_item *item);
/* Any thread: what is left to do for a recipient after recovery (bit set = done). */
bool spool_item_recipient_done(const struct spool_item *item, uint32_t recipient);
bool spool_item_held(const struct spool_item *item);
bool spool_item_late(const struct spool_item *item); /* SPOOL_IN_QUEUE_LATE */
/* `since_s`: the second of Unix time. */
bool spool_item_dead(const struct spool_item *item, uint32_t *since_s);
bool spool_item_relay(const struct spool_item *item); /* SPOOL_MAIL_RELAY */
uint32_t spool_item_recipients(const struct spool_item *item);

/*
 * Read a spool without changing it, daemon up or down: `fn` for every undelivered mail, until it
 * returns other than 0. 0 or -errno.
 */
int spool_log_scan(const char *path, int (*fn)(void *arg, const struct spool_view *view), void *arg,
	struct text *why);

/*
 * The same for every mail that came in [from_us, to_us) of Unix time and whose bytes are still
 * there, whatever became of it.
 */
int spool_log_scan_kept(const char *path, uint64_t from_us, uint64_t to_us,
	int (*fn)(void *arg, const struct spool_view *view), void *arg, struct text *why);

struct counter_block;
const struct counter_block *spool_log_counters(const struct spool_log *log);
