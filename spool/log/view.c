/*
 * Reading a mail of the log, from any thread: spool_view_open() for the whole of it,
 * spool_view_open_partly() and spool_view_piece() for large content a piece after the other.
 */

#include <errno.h>
#include <stdlib.h>

#include "spool/log/spool_log_priv.h"

/* Where a mail lay when the reading began; its segments are pinned. */
struct view_place {
	struct segment *segment; /* NULL: no longer in the log */
	uint32_t offset, size;
	uint32_t n_parts;
	struct segment **parts;
};

/* What a view's bytes lie in. */
struct view_memory {
	struct spool_log *log;
	struct view_place place;    /* pinned while the view is open */
	struct item_memory *shared; /* or */
	uint8_t *record;
	struct record_commit commit;
	uint8_t *extent;  /* the record of an extent at a time */
	uint8_t *content; /* where it was put together from extents */
	struct spool_recipient *recipients;
	struct spool_cut cuts[SPOOL_MAX_CUTS];
};

static int pin(struct spool_log *log, const struct spool_item *item, struct view_place *p,
	struct item_memory **memory)
{
	uint32_t n;
	int r = 0;

	*p = (struct view_place){0};
	pthread_mutex_lock(&log->segments.lock);
	n = item->extents ? item->extents->count : 0;
	*memory = item->memory ? item_memory_hold(item->memory) : NULL;
	if (!*memory && !item->segment)
		r = -ENOENT;
	if (r == 0 && !*memory && n && !(p->parts = calloc(n, sizeof(struct segment *))))
		r = -ENOMEM;
	if (r == 0 && !*memory) {
		p->segment = item->segment;
		p->offset = item->offset;
		p->size = item->size;
		p->n_parts = n;
		p->segment->pins++;
		for (uint32_t i = 0; i < n; i++) {
			p->parts[i] = item->extents->parts[i].segment;
			p->parts[i]->pins++;
		}
	}
	pthread_mutex_unlock(&log->segments.lock);
	return r;
}

static void unpin(struct spool_log *log, struct view_place *p)
{
	if (!p->segment)
		return;
	pthread_mutex_lock(&log->segments.lock);
	p->segment->pins--;
	for (uint32_t i = 0; i < p->n_parts; i++)
		p->parts[i]->pins--;
	pthread_mutex_unlock(&log->segments.lock);
	free(p->parts);
	*p = (struct view_place){0};
}

/* A record in `buf`, which has `size` octets. */
static int read_record(struct spool_log *log, const struct segment *segment, uint32_t offset,
	uint8_t *buf, uint32_t size, struct record *r)
{
	char name[SEGMENT_NAME_SIZE];
	int fd, e;

	segment_name(segment->number, name);
	fd = log->io->open(log->io->ctx, log->dir, name, LOG_IO_READ);
	if (fd < 0)
		return fd;
	e = log_io_read_all(log->io, fd, buf, size, offset);
	log->io->close(log->io->ctx, fd);
	if (e != 0)
		return e;
	return record_read(bytes_of(buf, size), segment->salt, r) ? 0 : -EBADMSG;
}

static const struct segment *part_numbered(const struct view_place *p, uint64_t number)
{
	for (uint32_t i = 0; i < p->n_parts; i++)
		if (p->parts[i]->number == number)
			return p->parts[i];
	return NULL;
}

/* The extent's content, in m->extent. */
static int read_extent(struct view_memory *m, const struct record_extent *x, struct bytes *content)
{
	const struct segment *segment = part_numbered(&m->place, x->segment);
	uint32_t size = record_size(RECORD_EXTENT_HEAD + x->octets);
	struct record r;
	uint64_t id;
	int e;

	if (!segment || x->octets > RECORD_PAYLOAD_MAX - RECORD_EXTENT_HEAD)
		return -EBADMSG;
	e = read_record(m->log, segment, x->offset, m->extent, size, &r);
	if (e != 0)
		return e;
	if (r.type != RECORD_EXTENT || r.crc != x->crc ||
		record_extent_decode(r.payload, &id, content) != 0 ||
		id != m->commit.envelope.queue_id || content->len != x->octets)
		return -EBADMSG;
	return 0;
}

/* Memory for the largest of them. */
static int extent_memory(struct view_memory *m)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < m->commit.n_extents; i++) {
		struct record_extent x = record_commit_extent(&m->commit, i);

		if (x.octets > most && x.octets <= RECORD_PAYLOAD_MAX - RECORD_EXTENT_HEAD)
			most = x.octets;
	}
	m->extent = malloc(record_size(RECORD_EXTENT_HEAD + most));
	return m->extent ? 0 : -ENOMEM;
}

static int join_extents(struct view_memory *m, struct bytes *content)
{
	const struct record_commit *c = &m->commit;
	uint8_t *at = malloc(c->envelope.content_octets + 1);
	int r = at ? 0 : -ENOMEM;

	m->content = at;
	for (uint32_t i = 0; r == 0 && i < c->n_extents; i++) {
		struct record_extent x = record_commit_extent(c, i);
		struct bytes piece;

		r = read_extent(m, &x, &piece);
		if (r == 0)
			memcpy(at, piece.data, piece.len);
		at += x.octets;
	}
	if (r == 0)
		memcpy(at, c->content.data, c->content.len);
	*content = bytes_of(m->content, c->envelope.content_octets);
	return r;
}

int spool_view_piece(struct spool_view *view, uint64_t from)
{
	struct view_memory *m = view->memory;
	uint64_t at = 0;

	for (uint32_t i = 0; i < m->commit.n_extents; i++) {
		struct record_extent x = record_commit_extent(&m->commit, i);
		struct bytes content;
		int r;

		if (from >= at + x.octets) {
			at += x.octets;
			continue;
		}
		r = read_extent(m, &x, &content);
		view->content = r == 0 ? bytes_from(content, from - at) : bytes_of(NULL, 0);
		return r;
	}
	view->content = bytes_from(m->commit.content, from - at);
	return 0;
}

static int read_payload(struct view_memory *m, struct bytes *payload)
{
	const struct view_place *p = &m->place;
	struct record r;
	int e;

	m->record = malloc(p->size);
	if (!m->record)
		return -ENOMEM;
	e = read_record(m->log, p->segment, p->offset, m->record, p->size, &r);
	if (e == 0 && r.type != RECORD_COMMIT)
		e = -EBADMSG;
	if (e == 0)
		*payload = r.payload;
	return e;
}

/* All but the content that lies in extents. */
static int fill(const struct spool_item *item, struct view_memory *m, struct spool_view *view)
{
	struct record_commit *c = &m->commit;
	struct bytes payload;
	int r = 0;

	if (m->shared)
		payload = bytes_of(m->shared->data, m->shared->len);
	else
		r = read_payload(m, &payload);
	if (r == 0)
		r = record_commit_decode(payload, c);
	if (r == 0 && c->envelope.queue_id != item->queue_id)
		r = -EBADMSG;
	if (r != 0)
		return r;
	m->recipients = calloc(c->envelope.n_recipients, sizeof(*m->recipients));
	if (!m->recipients)
		return -ENOMEM;
	record_commit_recipients(c, m->recipients);
	record_commit_cuts(c, m->cuts);
	view->envelope = c->envelope;
	view->envelope.recipients = m->recipients;
	view->envelope.cuts = m->cuts;
	view->content = c->content;
	view->shelf = item_shelf(item);
	view->shelved_s = atomic_load_explicit(&item->shelved_s, memory_order_relaxed);
	return c->n_extents ? extent_memory(m) : 0;
}

static int open_view(
	struct spool_log *log, const struct spool_item *item, bool partly, struct spool_view *view)
{
	struct view_memory *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	view->memory = m;
	view->partial = false;
	m->log = log;
	r = pin(log, item, &m->place, &m->shared);
	if (r == 0)
		r = fill(item, m, view);
	if (r == 0 && m->commit.n_extents) {
		view->partial = partly;
		r = partly ? spool_view_piece(view, 0) : join_extents(m, &view->content);
	}
	if (r != 0)
		spool_view_close(view);
	return r;
}

int spool_view_open(struct spool_log *log, const struct spool_item *item, struct spool_view *view)
{
	int r = open_view(log, item, false, view);

	/* It has all it needs. */
	if (r == 0)
		unpin(log, &((struct view_memory *)view->memory)->place);
	return r;
}

int spool_view_open_partly(
	struct spool_log *log, const struct spool_item *item, struct spool_view *view)
{
	return open_view(log, item, true, view);
}

void spool_view_close(struct spool_view *view)
{
	struct view_memory *m = view->memory;

	if (!m)
		return;
	unpin(m->log, &m->place);
	item_memory_release(m->shared);
	free(m->record);
	free(m->extent);
	free(m->content);
	free(m->recipients);
	free(m);
	view->memory = NULL;
}
