#include "spool/log/scan.h"

#include "spool/log/segment.h"

void scan_init(struct scan *s, struct bytes segment, uint32_t salt, uint64_t sequence,
	uint32_t batch, uint32_t end)
{
	*s = (struct scan){
		.segment = segment,
		.salt = salt,
		.end = end,
		.at = SEGMENT_HEADER_SIZE,
		.sequence = sequence,
		.batch = batch,
		.chain = salt,
	};
	if (s->end > segment.len && s->end != SCAN_END_UNKNOWN)
		s->end = (uint32_t)segment.len;
}

static uint32_t limit_of(const struct scan *s)
{
	return s->end == SCAN_END_UNKNOWN ? (uint32_t)s->segment.len : s->end;
}

static uint32_t read_at(const struct scan *s, uint32_t at, struct record *r)
{
	return record_read(bytes_slice(s->segment, at, limit_of(s) - at), s->salt, r);
}

static bool follows(const struct scan *s, const struct record *r)
{
	if (r->sequence < s->sequence || r->batch < s->batch)
		return false;
	return s->resync || (r->previous == s->chain && r->sequence == s->sequence);
}

/*
 * The first good record behind `at`; false if what follows does not prove that `at` was synced
 * once.
 */
static bool find_next(const struct scan *s, uint32_t *next)
{
	uint32_t limit = limit_of(s), suspect = s->batch + (s->synced ? 1 : 0);
	bool found = false;
	struct record r;

	for (uint32_t at = s->at + RECORD_ALIGN; at < limit;) {
		uint32_t size = read_at(s, at, &r);

		if (size == 0 || r.sequence <= s->sequence || r.batch < s->batch) {
			at += RECORD_ALIGN;
			continue;
		}
		if (!found)
			*next = at;
		found = true;
		if (s->end != SCAN_END_UNKNOWN || r.batch > suspect)
			return true;
		at += size;
	}
	return false;
}

static enum scan_event at_gap(struct scan *s)
{
	uint32_t next = 0;

	s->gap_from = s->at;
	if (!find_next(s, &next)) {
		if (s->end == SCAN_END_UNKNOWN)
			return SCAN_END;
		next = s->end;
	}
	s->at = next;
	s->resync = true;
	return SCAN_GAP;
}

enum scan_event scan_next(struct scan *s, struct record *r, uint32_t *offset)
{
	uint32_t size;

	if (s->at >= limit_of(s))
		return SCAN_END;
	size = read_at(s, s->at, r);
	if (size == 0 || !follows(s, r))
		return at_gap(s);
	*offset = s->at;
	s->at += size;
	s->sequence = r->sequence + 1;
	s->batch = r->batch;
	s->chain = r->crc;
	s->synced = r->type == RECORD_PAD && (r->flags & RECORD_SYNCED);
	s->resync = false;
	return SCAN_RECORD;
}
