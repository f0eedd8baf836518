/*
 * Group commit: records gather in a batch, which is written past the page cache and synced as one;
 * then all its mails are acknowledged, in the order of the log.
 *
 * A write or sync that fails is final for its segment: after a failed sync nobody knows what is on
 * disk. The segment ends where the last good sync left it, what came later has failed, and the next
 * segment's header says so.
 */
#pragma once

#include "spool/log/spool_log_priv.h"

int commit_init(struct spool_log *log, uint32_t batch_bytes);
void commit_fini(struct spool_log *log);

/*
 * Room for a record with that payload, which the caller writes to *payload; then commit_end(). May
 * write, sync and open the next segment. `reserve`: it may take the reserve. 0 or -errno.
 */
int commit_begin(struct spool_log *log, uint32_t payload_octets, bool reserve, uint8_t **payload);
void commit_end(struct spool_log *log, enum record_type type, uint32_t payload_octets,
	struct log_place *place);
/* Appends a note, and again if that or its sync fails. -errno: LOG_BATCH_NOTES wait already. */
int commit_note(struct spool_log *log, const struct record_note *note);
/* Writes and syncs the batch and settles its mails. 0 or -errno. */
int commit_sync(struct spool_log *log);
/* Room for one more commit_expect(): 0, -ENOMEM, or -ENOBUFS at LOG_BATCH_MAILS. */
int commit_may_expect(struct spool_log *log);
/* The item's mail is acknowledged after the next sync. */
void commit_expect(struct spool_log *log, struct spool_cookie cookie, struct spool_item *item);
/* The item moves there after the next sync; takes over `extents`. 0 or -ENOMEM. */
int commit_move(struct spool_log *log, struct spool_item *item, const struct log_place *place,
	struct item_extents *extents);
