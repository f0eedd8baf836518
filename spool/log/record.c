#include "spool/log/record.h"

#include <errno.h>

#include "base/crc32c.h"
#include "spool/log/wire.h"

/* The header on disk. */
enum {
	AT_CRC = 0,
	AT_PREVIOUS = 4,
	AT_SEQUENCE = 8,
	AT_LENGTH = 16,
	AT_BATCH = 20,
	AT_CHECK = 24,
	AT_TYPE = 28,
	AT_FLAGS = 30,
};

/* The fixed part of a commit's payload. */
enum {
	C_QUEUE_ID = 0,
	C_RECEIVED = 8,
	C_CONTENT = 16,
	C_FLAGS = 24,
	C_RECIPIENTS = 28,
	C_CUTS = 32,
	C_EXTENTS = 36,
	C_INLINE = 40,
	C_RECIPIENTS_OCTETS = 44,
	C_STRINGS = 48,
	C_FIXED = 72,
};

#define COMMIT_STRINGS 6u
#define CUT_SIZE       8u
#define EXTENT_SIZE    24u
#define RECIPIENT_HEAD 3u
/* Of a recipient's flags, on disk only: NOTIFY and ORCPT follow the address. */
#define RECIPIENT_DSN      0x80u
#define RECIPIENT_DSN_HEAD 3u

static bool type_known(uint32_t type)
{
	switch (type) {
#define X(id, value, name) case value:
		RECORD_TYPES(X)
#undef X
		return true;
	default: return false;
	}
}

const char *record_type_name(enum record_type type)
{
	switch (type) {
#define X(id, value, name)                                                                         \
	case id: return name;
		RECORD_TYPES(X)
#undef X
	}
	return "unknown";
}

/* Of the header's fields but the two checksums. */
static uint32_t header_check(const uint8_t *at, uint32_t salt)
{
	return crc32c(crc32c(~salt, at + AT_PREVIOUS, AT_CHECK - AT_PREVIOUS), at + AT_TYPE,
		RECORD_HEADER_SIZE - AT_TYPE);
}

uint32_t record_seal(uint8_t *at, uint32_t salt, struct record *r)
{
	uint32_t len = (uint32_t)r->payload.len;
	uint32_t size = record_size(len);

	wire_put32(at + AT_PREVIOUS, r->previous);
	wire_put64(at + AT_SEQUENCE, r->sequence);
	wire_put32(at + AT_LENGTH, len);
	wire_put32(at + AT_BATCH, r->batch);
	wire_put16(at + AT_TYPE, (uint16_t)r->type);
	wire_put16(at + AT_FLAGS, (uint16_t)r->flags);
	wire_put32(at + AT_CHECK, header_check(at, salt));
	memset(at + RECORD_HEADER_SIZE + len, 0, size - RECORD_HEADER_SIZE - len);
	r->crc = crc32c(salt, at + AT_PREVIOUS, RECORD_HEADER_SIZE - AT_PREVIOUS + len);
	wire_put32(at + AT_CRC, r->crc);
	return r->crc;
}

static bool header_true(struct bytes b, uint32_t salt)
{
	return b.len >= RECORD_HEADER_SIZE && type_known(wire_get16(b.data + AT_TYPE)) &&
	       wire_get32(b.data + AT_LENGTH) <= RECORD_PAYLOAD_MAX &&
	       record_size(wire_get32(b.data + AT_LENGTH)) <= b.len &&
	       wire_get32(b.data + AT_CHECK) == header_check(b.data, salt);
}

uint32_t record_read(struct bytes b, uint32_t salt, struct record *r)
{
	uint32_t len;

	if (!header_true(b, salt))
		return 0;
	len = wire_get32(b.data + AT_LENGTH);
	r->crc = wire_get32(b.data + AT_CRC);
	if (crc32c(salt, b.data + AT_PREVIOUS, RECORD_HEADER_SIZE - AT_PREVIOUS + len) != r->crc)
		return 0;
	r->previous = wire_get32(b.data + AT_PREVIOUS);
	r->sequence = wire_get64(b.data + AT_SEQUENCE);
	r->batch = wire_get32(b.data + AT_BATCH);
	r->type = (enum record_type)wire_get16(b.data + AT_TYPE);
	r->flags = wire_get16(b.data + AT_FLAGS);
	r->payload = bytes_of(b.data + RECORD_HEADER_SIZE, len);
	return record_size(len);
}

bool record_first(struct bytes segment, uint32_t offset, uint32_t *salt, struct record *r)
{
	struct bytes b = bytes_from(segment, offset);

	if (b.len < RECORD_HEADER_SIZE)
		return false;
	*salt = wire_get32(b.data + AT_PREVIOUS);
	return record_read(b, *salt, r) != 0;
}

static bool has_dsn(const struct spool_recipient *r)
{
	return r->notify != 0 || r->orcpt.len > 0;
}

static uint64_t recipient_size(const struct spool_recipient *r)
{
	return RECIPIENT_HEAD + r->address.len +
	       (has_dsn(r) ? RECIPIENT_DSN_HEAD + r->orcpt.len : 0);
}

static uint64_t recipients_size(const struct spool_envelope *e)
{
	uint64_t size = 0;

	for (uint32_t i = 0; i < e->n_recipients; i++)
		size += recipient_size(&e->recipients[i]);
	return size;
}

/* The strings of the envelope in the order of the record. */
static void strings_of(const struct spool_envelope *e, struct bytes out[COMMIT_STRINGS])
{
	out[0] = e->reverse_path;
	out[1] = e->client;
	out[2] = e->prepend;
	out[3] = e->quarantine_prepend;
	out[4] = e->trace;
	out[5] = e->envid;
}

uint64_t record_commit_head_size(const struct spool_envelope *e, uint32_t n_extents)
{
	struct bytes strings[COMMIT_STRINGS];
	uint64_t size = C_FIXED + (uint64_t)e->n_cuts * CUT_SIZE +
			(uint64_t)n_extents * EXTENT_SIZE + recipients_size(e);

	strings_of(e, strings);
	for (unsigned i = 0; i < COMMIT_STRINGS; i++)
		size += strings[i].len;
	return size;
}

static uint8_t *put_bytes(uint8_t *at, struct bytes b)
{
	if (b.len)
		memcpy(at, b.data, b.len);
	return at + b.len;
}

static uint8_t *put_extent(uint8_t *at, const struct record_extent *x)
{
	wire_put64(at, x->segment);
	wire_put32(at + 8, x->offset);
	wire_put32(at + 12, x->octets);
	wire_put32(at + 16, x->crc);
	wire_put32(at + 20, 0);
	return at + EXTENT_SIZE;
}

static uint8_t *put_recipient(uint8_t *at, const struct spool_recipient *r)
{
	at[0] = (uint8_t)(r->flags | (has_dsn(r) ? RECIPIENT_DSN : 0));
	wire_put16(at + 1, (uint16_t)r->address.len);
	at = put_bytes(at + RECIPIENT_HEAD, r->address);
	if (!has_dsn(r))
		return at;
	at[0] = r->notify;
	wire_put16(at + 1, (uint16_t)r->orcpt.len);
	return put_bytes(at + RECIPIENT_DSN_HEAD, r->orcpt);
}

void record_commit_encode(uint8_t *out, const struct spool_envelope *e,
	const struct record_extent *extents, uint32_t n_extents, uint32_t inline_octets)
{
	struct bytes strings[COMMIT_STRINGS];
	uint8_t *at = out + C_FIXED;

	strings_of(e, strings);
	wire_put64(out + C_QUEUE_ID, e->queue_id);
	wire_put64(out + C_RECEIVED, e->received_unix_us);
	wire_put64(out + C_CONTENT, e->content_octets);
	wire_put32(out + C_FLAGS, e->flags);
	wire_put32(out + C_RECIPIENTS, e->n_recipients);
	wire_put32(out + C_CUTS, e->n_cuts);
	wire_put32(out + C_EXTENTS, n_extents);
	wire_put32(out + C_INLINE, inline_octets);
	wire_put32(out + C_RECIPIENTS_OCTETS, (uint32_t)recipients_size(e));
	memset(out + C_STRINGS, 0, C_FIXED - C_STRINGS);
	for (unsigned i = 0; i < COMMIT_STRINGS; i++)
		wire_put32(out + C_STRINGS + 4 * i, (uint32_t)strings[i].len);
	for (uint32_t i = 0; i < e->n_cuts; i++, at += CUT_SIZE) {
		wire_put32(at, e->cuts[i].from);
		wire_put32(at + 4, e->cuts[i].to);
	}
	for (uint32_t i = 0; i < n_extents; i++)
		at = put_extent(at, &extents[i]);
	for (uint32_t i = 0; i < e->n_recipients; i++)
		at = put_recipient(at, &e->recipients[i]);
	for (unsigned i = 0; i < COMMIT_STRINGS; i++)
		at = put_bytes(at, strings[i]);
}

static bool next_recipient(struct cursor *c, struct spool_recipient *r)
{
	struct bytes head;

	if (!cursor_take(c, RECIPIENT_HEAD, &head))
		return false;
	*r = (struct spool_recipient){.flags = head.data[0] & ~RECIPIENT_DSN};
	if (!cursor_take(c, wire_get16(head.data + 1), &r->address))
		return false;
	if (!(head.data[0] & RECIPIENT_DSN))
		return true;
	if (!cursor_take(c, RECIPIENT_DSN_HEAD, &head))
		return false;
	r->notify = head.data[0];
	/* One that says nothing is never written. */
	return cursor_take(c, wire_get16(head.data + 1), &r->orcpt) && has_dsn(r);
}

static bool recipients_true(const struct record_commit *c)
{
	struct cursor at = cursor_of(c->recipients);
	struct spool_recipient r;

	for (uint32_t i = 0; i < c->envelope.n_recipients; i++)
		if (!next_recipient(&at, &r))
			return false;
	return cursor_done(&at);
}

static bool cuts_true(const struct record_commit *c)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < c->envelope.n_cuts; i++) {
		uint32_t from = wire_get32(c->cuts.data + i * CUT_SIZE);
		uint32_t to = wire_get32(c->cuts.data + i * CUT_SIZE + 4);

		if (from < last || to < from || to > c->envelope.content_octets)
			return false;
		last = to;
	}
	return true;
}

static bool content_true(const struct record_commit *c)
{
	uint64_t octets = c->content.len;

	for (uint32_t i = 0; i < c->n_extents; i++)
		octets += record_commit_extent(c, i).octets;
	return octets == c->envelope.content_octets;
}

static bool take_parts(struct cursor *at, struct bytes fixed, struct record_commit *c)
{
	struct spool_envelope *e = &c->envelope;
	struct bytes *strings[COMMIT_STRINGS] = {&e->reverse_path, &e->client, &e->prepend,
		&e->quarantine_prepend, &e->trace, &e->envid};

	if (!cursor_take(at, (size_t)e->n_cuts * CUT_SIZE, &c->cuts) ||
		!cursor_take(at, (size_t)c->n_extents * EXTENT_SIZE, &c->extents) ||
		!cursor_take(at, wire_get32(fixed.data + C_RECIPIENTS_OCTETS), &c->recipients))
		return false;
	for (unsigned i = 0; i < COMMIT_STRINGS; i++)
		if (!cursor_take(at, wire_get32(fixed.data + C_STRINGS + 4 * i), strings[i]))
			return false;
	return cursor_take(at, wire_get32(fixed.data + C_INLINE), &c->content) && cursor_done(at);
}

int record_commit_decode(struct bytes payload, struct record_commit *c)
{
	struct spool_envelope *e = &c->envelope;
	struct cursor at = cursor_of(payload);
	struct bytes fixed;

	*c = (struct record_commit){0};
	if (!cursor_take(&at, C_FIXED, &fixed))
		return -EBADMSG;
	e->queue_id = wire_get64(fixed.data + C_QUEUE_ID);
	e->received_unix_us = wire_get64(fixed.data + C_RECEIVED);
	e->content_octets = wire_get64(fixed.data + C_CONTENT);
	e->flags = wire_get32(fixed.data + C_FLAGS);
	e->n_recipients = wire_get32(fixed.data + C_RECIPIENTS);
	e->n_cuts = wire_get32(fixed.data + C_CUTS);
	c->n_extents = wire_get32(fixed.data + C_EXTENTS);
	if (e->n_recipients == 0 || e->n_recipients > SPOOL_MAX_RECIPIENTS ||
		e->n_cuts > SPOOL_MAX_CUTS || c->n_extents > RECORD_MAX_EXTENTS ||
		!take_parts(&at, fixed, c))
		return -EBADMSG;
	return recipients_true(c) && cuts_true(c) && content_true(c) ? 0 : -EBADMSG;
}

void record_commit_recipients(const struct record_commit *c, struct spool_recipient *out)
{
	struct cursor at = cursor_of(c->recipients);

	for (uint32_t i = 0; i < c->envelope.n_recipients; i++)
		if (!next_recipient(&at, &out[i]))
			return; /* does not happen: decode walked it */
}

void record_commit_cuts(const struct record_commit *c, struct spool_cut *out)
{
	for (uint32_t i = 0; i < c->envelope.n_cuts; i++) {
		out[i].from = wire_get32(c->cuts.data + i * CUT_SIZE);
		out[i].to = wire_get32(c->cuts.data + i * CUT_SIZE + 4);
	}
}

struct record_extent record_commit_extent(const struct record_commit *c, uint32_t index)
{
	const uint8_t *at = c->extents.data + (size_t)index * EXTENT_SIZE;

	return (struct record_extent){
		.segment = wire_get64(at),
		.offset = wire_get32(at + 8),
		.octets = wire_get32(at + 12),
		.crc = wire_get32(at + 16),
	};
}

void record_extent_encode(uint8_t out[RECORD_EXTENT_HEAD], uint64_t queue_id)
{
	wire_put64(out, queue_id);
}

int record_extent_decode(struct bytes payload, uint64_t *queue_id, struct bytes *content)
{
	if (payload.len < RECORD_EXTENT_HEAD)
		return -EBADMSG;
	*queue_id = wire_get64(payload.data);
	*content = bytes_from(payload, RECORD_EXTENT_HEAD);
	return 0;
}

void record_note_encode(uint8_t out[RECORD_NOTE_SIZE], const struct record_note *note)
{
	wire_put64(out, note->queue_id);
	wire_put32(out + 8, note->type == RECORD_HELD ? note->since_s : note->recipient);
	wire_put16(out + 12, (uint16_t)note->outcome);
	wire_put16(out + 14, note->shelf);
}

static bool outcome_known(uint16_t outcome)
{
	switch (outcome) {
#define X(name, word) case SPOOL_##name:
		SPOOL_OUTCOMES(X)
#undef X
		return true;
	default: return false;
	}
}

int record_note_decode(const struct record *r, struct record_note *note)
{
	const uint8_t *at = r->payload.data;

	if (r->payload.len != RECORD_NOTE_SIZE || !outcome_known(wire_get16(at + 12)) ||
		wire_get16(at + 14) >= SPOOL_N_SHELVES)
		return -EBADMSG;
	note->type = r->type;
	note->queue_id = wire_get64(at);
	note->recipient = wire_get32(at + 8);
	note->outcome = (enum spool_outcome)wire_get16(at + 12);
	note->shelf = (enum spool_shelf)wire_get16(at + 14);
	note->since_s = r->type == RECORD_HELD ? note->recipient : 0;
	return 0;
}
