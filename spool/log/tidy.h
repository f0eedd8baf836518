/* Giving space back: segments whose mails are done, and those that only a few keep. */
#pragma once

#include "spool/log/spool_log_priv.h"

/* Segments in the log from which on mails are copied forward. */
#define TIDY_COPY_SEGMENTS 4u
/* A segment is freed by copying where at most this part of it is live. */
#define TIDY_COPY_FRACTION 8u
/* Fewer segments of room than these, and retention is over. */
#define TIDY_ROOM_SEGMENTS 4u
/* Mails copied in one go. */
#define TIDY_COPY_MAILS 64u

/*
 * Drops segments without live mail, oldest first: a note in one may speak of a mail in one before
 * it. Those older than the snapshot go in any order.
 */
void tidy_reclaim(struct spool_log *log);
/* Copies forward the few mails of one segment, to be synced with the batch. */
void tidy_copy_forward(struct spool_log *log);
