/* Reading a mail of the log, from any thread: spool_view_open() and spool_view_close(). */

#include <errno.h>
#include <stdlib.h>

#include "spool/log/spool_log_priv.h"

/* What a view's bytes lie in. */
struct view_memory {
	struct item_memory *shared; /* or */
	uint8_t *record;
	uint8_t *content; /* where it was put together from extents */
	struct spool_recipient *recipients;
	struct spool_cut cuts[SPOOL_MAX_CUTS];
};

/* Where a mail lay when the reading began; its segments are pinned. */
struct view_place {
	struct segment *segment; /* NULL: no longer in the log */
	uint32_t offset, size;
	uint32_t n_parts;
	struct segment **parts;
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

/* The extent's content to `out`; `buf` has room for the record. */
static int read_extent(struct spool_log *log, const struct view_place *p, uint64_t queue_id,
	const struct record_extent *x, uint8_t *buf, uint8_t *out)
{
	const struct segment *segment = part_numbered(p, x->segment);
	struct bytes content;
	struct record r;
	uint64_t id;
	int e;

	if (!segment)
		return -EBADMSG;
	e = read_record(
		log, segment, x->offset, buf, record_size(RECORD_EXTENT_HEAD + x->octets), &r);
	if (e != 0)
		return e;
	if (r.type != RECORD_EXTENT || r.crc != x->crc ||
		record_extent_decode(r.payload, &id, &content) != 0 || id != queue_id ||
		content.len != x->octets)
		return -EBADMSG;
	memcpy(out, content.data, content.len);
	return 0;
}

static int join_extents(struct spool_log *log, const struct view_place *p,
	const struct record_commit *c, struct view_memory *m, struct bytes *content)
{
	uint8_t *buf = malloc(record_size(RECORD_PAYLOAD_MAX)), *at;
	int r = 0;

	m->content = at = malloc(c->envelope.content_octets + 1);
	if (!m->content || !buf)
		r = -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < c->n_extents; i++) {
		struct record_extent x = record_commit_extent(c, i);

		r = x.octets <= RECORD_PAYLOAD_MAX - RECORD_EXTENT_HEAD
			    ? read_extent(log, p, c->envelope.queue_id, &x, buf, at)
			    : -EBADMSG;
		at += x.octets;
	}
	if (r == 0)
		memcpy(at, c->content.data, c->content.len);
	*content = bytes_of(m->content, c->envelope.content_octets);
	free(buf);
	return r;
}

static int read_payload(struct spool_log *log, const struct view_place *p, struct view_memory *m,
	struct bytes *payload)
{
	struct record r;
	int e;

	m->record = malloc(p->size);
	if (!m->record)
		return -ENOMEM;
	e = read_record(log, p->segment, p->offset, m->record, p->size, &r);
	if (e == 0 && r.type != RECORD_COMMIT)
		e = -EBADMSG;
	if (e == 0)
		*payload = r.payload;
	return e;
}

static int fill(struct spool_log *log, const struct spool_item *item, const struct view_place *p,
	struct view_memory *m, struct spool_view *view)
{
	struct record_commit c;
	struct bytes payload;
	int r = 0;

	if (m->shared)
		payload = bytes_of(m->shared->data, m->shared->len);
	else
		r = read_payload(log, p, m, &payload);
	if (r == 0)
		r = record_commit_decode(payload, &c);
	if (r == 0 && c.envelope.queue_id != item->queue_id)
		r = -EBADMSG;
	if (r != 0)
		return r;
	m->recipients = calloc(c.envelope.n_recipients, sizeof(*m->recipients));
	if (!m->recipients)
		return -ENOMEM;
	record_commit_recipients(&c, m->recipients);
	record_commit_cuts(&c, m->cuts);
	view->envelope = c.envelope;
	view->envelope.recipients = m->recipients;
	view->envelope.cuts = m->cuts;
	view->content = c.content;
	view->shelf = item_shelf(item);
	view->shelved_s = atomic_load_explicit(&item->shelved_s, memory_order_relaxed);
	return c.n_extents ? join_extents(log, p, &c, m, &view->content) : 0;
}

int spool_view_open(struct spool_log *log, const struct spool_item *item, struct spool_view *view)
{
	struct view_memory *m = calloc(1, sizeof(*m));
	struct view_place place;
	int r;

	if (!m)
		return -ENOMEM;
	view->memory = m;
	r = pin(log, item, &place, &m->shared);
	if (r == 0) {
		r = fill(log, item, &place, m, view);
		unpin(log, &place);
	}
	if (r != 0)
		spool_view_close(view);
	return r;
}

void spool_view_close(struct spool_view *view)
{
	struct view_memory *m = view->memory;

	if (!m)
		return;
	item_memory_release(m->shared);
	free(m->record);
	free(m->content);
	free(m->recipients);
	free(m);
	view->memory = NULL;
}
