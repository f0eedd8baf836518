#pragma once

#include "auth/crypto/crypto.h"
#include "auth/dkim/dkim_canon.h"

struct arena;

/*
 * The hashes of one body, as it arrives: one for each (canonicalization, length) that any signature
 * asks for, shared by all that ask for the same.
 */

/* Portions that wait for the queue to run; a portion that follows the last in memory is joined to
 * it. */
#define DKIM_BODY_RANGES 16

struct dkim_body;

struct dkim_body_wait {
	struct dkim_body_wait *next;
	void (*hashed)(void *owner);
	void *owner;
};

struct dkim_body_stream {
	struct hash_job job;
	struct dkim_body *body;
	struct dkim_body_stream *next;
	struct dkim_canon_body canon;
	uint64_t limit; /* l=, or UINT64_MAX */
	uint64_t given; /* canonical octets hashed */
	unsigned range; /* being read */
	size_t offset;  /* in it */
	bool tail;      /* there are canonical octets past `limit` */
	bool done;      /* `digest` is there */
	uint8_t digest[32];
	struct dkim_body_wait *waits;
};

struct dkim_body {
	struct arena *arena;
	struct crypto_queue *queue;
	struct dkim_body_stream *streams;
	unsigned n_ranges;
	bool ended;
	struct bytes ranges[DKIM_BODY_RANGES];
};

void dkim_body_init(struct dkim_body *body, struct arena *arena, struct crypto_queue *queue);
/* Before the first octet. NULL when the arena is at its bound. */
struct dkim_body_stream *dkim_body_want(
	struct dkim_body *body, enum dkim_canon canon, uint64_t limit);
/* `wait->hashed(owner)` is called once the stream is done. */
void dkim_body_wait(struct dkim_body_stream *stream, struct dkim_body_wait *wait);
/* The octets must stay until the queue has run. */
void dkim_body_feed(struct dkim_body *body, struct bytes bytes);
void dkim_body_end(struct dkim_body *body);
/* Takes its jobs back; nothing is called any more. */
void dkim_body_cancel(struct dkim_body *body);
