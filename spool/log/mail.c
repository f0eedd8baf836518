#include "spool/log/mail.h"

#include <errno.h>
#include <stdlib.h>

#include "spool/log/commit.h"

struct mail_content mail_content_of(const struct chunk_range *ranges, unsigned n_ranges)
{
	struct mail_content c = {.ranges = ranges, .n_ranges = n_ranges};

	for (unsigned i = 0; i < n_ranges; i++)
		c.left += chunk_range_len(ranges[i]);
	return c;
}

struct mail_content mail_content_bytes(struct bytes octets)
{
	return (struct mail_content){.octets = octets, .left = octets.len};
}

/* Copies the next `len` octets; there are as many. */
static void content_take(struct mail_content *c, uint8_t *out, uint32_t len)
{
	c->left -= len;
	while (len) {
		uint32_t n;

		if (c->octets.len == 0) {
			c->octets = chunk_range_bytes(*c->ranges++);
			continue;
		}
		n = c->octets.len < len ? (uint32_t)c->octets.len : len;
		memcpy(out, c->octets.data, n);
		c->octets = bytes_from(c->octets, n);
		out += n;
		len -= n;
	}
}

static struct open_mail **open_link(struct spool_log *log, uint64_t queue_id)
{
	uint64_t hash = (queue_id ^ queue_id >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	struct open_mail **link = &log->open[hash >> 32 & (LOG_OPEN_BUCKETS - 1)];

	while (*link && (*link)->queue_id != queue_id)
		link = &(*link)->next;
	return link;
}

static struct open_mail *open_get(struct spool_log *log, uint64_t queue_id)
{
	struct open_mail **link = open_link(log, queue_id);

	if (!*link) {
		*link = calloc(1, sizeof(**link));
		if (!*link)
			return NULL;
		(*link)->queue_id = queue_id;
		log->n_open++;
	}
	return *link;
}

static void open_drop(struct spool_log *log, uint64_t queue_id)
{
	struct open_mail **link = open_link(log, queue_id), *m = *link;

	if (!m)
		return;
	*link = m->next;
	item_extents_free(m->extents);
	free(m->list);
	free(m);
	log->n_open--;
}

static int extent_note(struct open_mail *m, const struct record_extent *x, struct segment *segment)
{
	if (m->n_list == m->cap_list) {
		uint32_t cap = m->cap_list ? m->cap_list * 2 : 16;
		struct record_extent *list = realloc(m->list, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		m->list = list;
		m->cap_list = cap;
	}
	if (item_extents_add(&m->extents, segment, x->octets) != 0)
		return -ENOMEM;
	m->list[m->n_list++] = *x;
	m->octets += x->octets;
	return 0;
}

static int append_extent(
	struct spool_log *log, struct open_mail *m, struct mail_content *content, uint32_t octets)
{
	struct record_extent x = {.octets = octets};
	struct log_place place;
	uint8_t *payload;
	int r;

	if (m->n_list == RECORD_MAX_EXTENTS)
		return -EMSGSIZE;
	r = commit_begin(log, RECORD_EXTENT_HEAD + octets, false, &payload);
	if (r != 0)
		return r;
	record_extent_encode(payload, m->queue_id);
	content_take(content, payload + RECORD_EXTENT_HEAD, octets);
	commit_end(log, RECORD_EXTENT, RECORD_EXTENT_HEAD + octets, &place);
	counter_inc(&log->counters.v[SPOOL_EXTENTS]);
	x.segment = place.segment->number;
	x.offset = place.offset;
	x.crc = place.crc;
	return extent_note(m, &x, place.segment);
}

/* Appends extents until at most `keep` octets are left. */
static int append_extents(
	struct spool_log *log, struct open_mail *m, struct mail_content *content, uint64_t keep)
{
	while (content->left > keep) {
		uint64_t octets = content->left < log->extent_max ? content->left : log->extent_max;
		int r = append_extent(log, m, content, (uint32_t)octets);

		if (r != 0)
			return r;
		/* A segment that was given up on the way may have held the mail's first part. */
		if (m->failed)
			return -EIO;
	}
	return 0;
}

int mail_extend(struct spool_log *log, uint64_t queue_id, struct mail_content content)
{
	struct open_mail *m = open_get(log, queue_id);
	int r;

	if (!m)
		return -ENOMEM;
	if (m->failed)
		return -EIO;
	r = append_extents(log, m, &content, 0);
	if (r != 0)
		m->failed = true;
	return r;
}

void mail_abort(struct spool_log *log, uint64_t queue_id)
{
	struct record_note note = {.type = RECORD_ABORT, .queue_id = queue_id};
	struct open_mail *m = *open_link(log, queue_id);

	if (!m)
		return;
	counter_inc(&log->counters.v[SPOOL_ABORTED]);
	if (m->n_list && !m->failed)
		commit_note(log, &note);
	open_drop(log, queue_id);
}

static bool envelope_sound(const struct spool_envelope *e)
{
	uint64_t last = 0;

	if (e->n_recipients == 0 || e->n_recipients > SPOOL_MAX_RECIPIENTS ||
		e->n_cuts > SPOOL_MAX_CUTS)
		return false;
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].address.len > UINT16_MAX ||
			e->recipients[i].orcpt.len > UINT16_MAX)
			return false;
	for (uint32_t i = 0; i < e->n_cuts; i++) {
		if (e->cuts[i].from < last || e->cuts[i].to < e->cuts[i].from ||
			e->cuts[i].to > e->content_octets)
			return false;
		last = e->cuts[i].to;
	}
	return true;
}

static int append_commit(struct spool_log *log, const struct spool_envelope *envelope,
	const struct open_mail *m, struct mail_content *content, struct mail_place *place)
{
	uint32_t n_extents = m ? m->n_list : 0;
	uint32_t head = (uint32_t)record_commit_head_size(envelope, n_extents);
	uint32_t octets = (uint32_t)content->left;
	uint8_t *payload;
	int r = commit_begin(log, head + octets, true, &payload);

	if (r != 0)
		return r;
	if (m && m->failed)
		return -EIO;
	record_commit_encode(payload, envelope, m ? m->list : NULL, n_extents, octets);
	content_take(content, payload + head, octets);
	place->payload = bytes_of(payload, head + octets);
	commit_end(log, RECORD_COMMIT, head + octets, &place->commit);
	return 0;
}

/* Content that does not fit into the commit record goes ahead of it. */
static int append_whole(struct spool_log *log, const struct spool_envelope *envelope,
	struct mail_content content, struct mail_place *place)
{
	struct open_mail *m = log->n_open ? *open_link(log, envelope->queue_id) : NULL;
	uint64_t extents = (m ? m->n_list : 0) + content.left / log->extent_max + 1;
	uint64_t head = record_commit_head_size(envelope, 0);
	uint64_t with = record_commit_head_size(envelope, (uint32_t)extents);
	int r = 0;

	if ((m ? m->octets : 0) + content.left != envelope->content_octets)
		return -EINVAL;
	if (extents > RECORD_MAX_EXTENTS || with > log->record_max)
		return -EMSGSIZE;
	if ((m ? with : head) + content.left > log->record_max) {
		m = m ? m : open_get(log, envelope->queue_id);
		r = m ? append_extents(log, m, &content, log->record_max - with) : -ENOMEM;
	}
	if (r == 0)
		r = append_commit(log, envelope, m, &content, place);
	if (r == 0 && m) {
		place->extents = m->extents;
		m->extents = NULL;
	}
	return r;
}

int mail_append(struct spool_log *log, const struct spool_envelope *envelope,
	struct mail_content content, struct mail_place *place)
{
	int r = -EINVAL;

	*place = (struct mail_place){0};
	if (envelope_sound(envelope))
		r = append_whole(log, envelope, content, place);
	if (log->n_open)
		open_drop(log, envelope->queue_id);
	return r;
}

void mail_segment_failed(struct spool_log *log, const struct segment *segment)
{
	for (unsigned i = 0; log->n_open && i < LOG_OPEN_BUCKETS; i++)
		for (struct open_mail *m = log->open[i]; m; m = m->next)
			if (item_extents_in(m->extents, segment))
				m->failed = true;
}

void mail_fini(struct spool_log *log)
{
	for (unsigned i = 0; i < LOG_OPEN_BUCKETS; i++)
		while (log->open[i])
			open_drop(log, log->open[i]->queue_id);
}
