#pragma once

#include "base/bytes.h"

/*
 * The last mails of one worker, with what happened to them. One thread writes, any may look; a look
 * never makes the writer wait (a slot's number is odd while it is being written, Lamport 1977).
 */
struct trace_ring;

/* Octets of one mail's record at most, and of one slot in memory. */
#define TRACE_RING_RECORD 4072u
#define TRACE_RING_SLOT   (TRACE_RING_RECORD + 24u)

/* Room for `count` mails, taken as it is used. 0 or -ENOMEM. */
int trace_ring_new(uint32_t count, struct trace_ring **out);
void trace_ring_free(struct trace_ring *ring);

/* The oldest gives way. A record over TRACE_RING_RECORD is cut. */
void trace_ring_put(struct trace_ring *ring, uint64_t queue_id, struct bytes record);
/* Any thread: append the record of that mail; false where it is not there (any more). */
bool trace_ring_find(const struct trace_ring *ring, uint64_t queue_id, struct text *out);
/*
 * Any thread, for whoever wants all of them: the record after the first `*seen` that were ever put,
 * which grows. Those that were overwritten before they were looked at are passed over. false where
 * there is none yet.
 */
bool trace_ring_next(
	const struct trace_ring *ring, uint64_t *seen, uint64_t *queue_id, struct text *out);
