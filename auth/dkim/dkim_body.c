#include "auth/dkim/dkim_body.h"

#include "base/arena.h"

void dkim_body_init(struct dkim_body *body, struct arena *arena, struct crypto_queue *queue)
{
	body->arena = arena;
	body->queue = queue;
	body->streams = NULL;
	body->n_ranges = 0;
	body->ended = false;
}

/* The next canonical octets of the portions that are there. */
static bool next_piece(struct dkim_body_stream *stream, uint8_t *scratch, struct bytes *piece)
{
	struct dkim_body *body = stream->body;
	while (stream->range < body->n_ranges) {
		struct bytes range = body->ranges[stream->range];
		struct bytes input = bytes_from(range, stream->offset);
		if (dkim_canon_body_step(&stream->canon, &input, scratch, HASH_SCRATCH, piece)) {
			stream->offset = range.len - input.len;
			return true;
		}
		if (stream->range + 1 == body->n_ranges)
			break; /* it may yet grow */
		stream->range++;
		stream->offset = 0;
	}
	return body->ended && dkim_canon_body_end(&stream->canon, scratch, HASH_SCRATCH, piece);
}

static bool stream_pull(struct hash_job *job, uint8_t *scratch, struct bytes *piece)
{
	struct dkim_body_stream *stream = (struct dkim_body_stream *)job;
	/* Past l= nothing matters any more, once it is known that there is a tail. */
	while (!stream->tail && next_piece(stream, scratch, piece)) {
		uint64_t room = stream->limit - stream->given;
		if (piece->len > room) {
			stream->tail = true;
			piece->len = (size_t)room;
		}
		stream->given += piece->len;
		if (piece->len)
			return true;
	}
	return false;
}

static void stream_ran(struct hash_job *job)
{
	struct dkim_body_stream *stream = (struct dkim_body_stream *)job;
	if (!stream->body->ended || stream->done)
		return;
	sha256_final(&job->state, stream->digest);
	stream->done = true;
	while (stream->waits) {
		struct dkim_body_wait *wait = stream->waits;
		stream->waits = wait->next;
		wait->hashed(wait->owner);
	}
}

struct dkim_body_stream *dkim_body_want(
	struct dkim_body *body, enum dkim_canon canon, uint64_t limit)
{
	struct dkim_body_stream *stream;
	for (stream = body->streams; stream; stream = stream->next)
		if (stream->canon.canon == canon && stream->limit == limit)
			return stream;
	stream = ARENA_NEW(body->arena, struct dkim_body_stream);
	if (!stream)
		return NULL;
	sha256_init(&stream->job.state);
	stream->job.pull = stream_pull;
	stream->job.ran = stream_ran;
	stream->body = body;
	stream->limit = limit;
	dkim_canon_body_init(&stream->canon, canon);
	stream->next = body->streams;
	body->streams = stream;
	return stream;
}

void dkim_body_wait(struct dkim_body_stream *stream, struct dkim_body_wait *wait)
{
	wait->next = stream->waits;
	stream->waits = wait;
}

static bool is_busy(const struct dkim_body *body)
{
	for (const struct dkim_body_stream *s = body->streams; s; s = s->next)
		if (s->job.queued)
			return true;
	return false;
}

static void forget_ranges(struct dkim_body *body)
{
	for (struct dkim_body_stream *s = body->streams; s; s = s->next) {
		crypto_flush_hash(body->queue, &s->job);
		s->range = 0;
		s->offset = 0;
	}
	body->n_ranges = 0;
}

static bool joins(const struct dkim_body *body, struct bytes bytes)
{
	if (body->n_ranges == 0)
		return false;
	const struct bytes *last = &body->ranges[body->n_ranges - 1];
	return last->data + last->len == bytes.data;
}

void dkim_body_feed(struct dkim_body *body, struct bytes bytes)
{
	if (!body->streams || bytes.len == 0)
		return;
	/* What was read may be gone: no range may stand over it. */
	if (!is_busy(body) || (body->n_ranges == DKIM_BODY_RANGES && !joins(body, bytes)))
		forget_ranges(body);
	if (joins(body, bytes))
		body->ranges[body->n_ranges - 1].len += bytes.len;
	else
		body->ranges[body->n_ranges++] = bytes;
	for (struct dkim_body_stream *s = body->streams; s; s = s->next)
		if (!s->tail)
			crypto_add_hash(body->queue, &s->job);
}

void dkim_body_end(struct dkim_body *body)
{
	body->ended = true;
	for (struct dkim_body_stream *s = body->streams; s; s = s->next)
		crypto_add_hash(body->queue, &s->job);
}

void dkim_body_cancel(struct dkim_body *body)
{
	for (struct dkim_body_stream *s = body->streams; s; s = s->next)
		crypto_cancel_hash(body->queue, &s->job);
}
