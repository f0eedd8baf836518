#pragma once

#include "base/bytes.h"

/*
 * The last mails of one worker, with what happened to them. One thread writes, any may look; a look
 * never makes the writer wait (a slot's number is odd while it is being written, Lamport 1977).
 */
struct trace_ring;

/* Octets of one mail's text at most, and of one slot in memory. */
#define TRACE_RING_TEXT 2032u
#define TRACE_RING_SLOT (TRACE_RING_TEXT + 24u)

/* Room for `count` mails, taken as it is used. 0 or -ENOMEM. */
int trace_ring_new(uint32_t count, struct trace_ring **out);
void trace_ring_free(struct trace_ring *ring);

/* The oldest gives way. Text over TRACE_RING_TEXT is cut. */
void trace_ring_put(struct trace_ring *ring, uint64_t queue_id, struct bytes text);
/* Any thread: append the text of that mail; false where it is not there (any more). */
bool trace_ring_find(const struct trace_ring *ring, uint64_t queue_id, struct text *out);
