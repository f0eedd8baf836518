/*
 * Records of the log: the codec, without I/O.
 *
 * A record is a header of 32 octets and a payload, padded with zeros to a multiple of 8. Numbers
 * are little-endian. The checksum starts from the segment's salt, so that what an earlier use of
 * the file left behind never passes, and covers the header, which holds the checksum of the record
 * before it: records form a chain, yet each can be checked alone. The header has a checksum of its
 * own too, so that a search for records is not led astray by lengths that a mail's text makes up.
 */
#pragma once

#include "spool/spool.h"

#define RECORD_HEADER_SIZE 32u
#define RECORD_ALIGN       8u
#define RECORD_PAYLOAD_MAX (1u << 20)
#define RECORD_MAX_EXTENTS 8192u

/* type, value on disk, name */
#define RECORD_TYPES(X)                                                                            \
	X(RECORD_PAD, 1, "pad")       /* fills up to a block; ends each batch */                   \
	X(RECORD_EXTENT, 2, "extent") /* a piece of content of a mail not yet committed */         \
	X(RECORD_COMMIT, 3, "commit") /* a mail */                                                 \
	X(RECORD_ABORT, 4, "abort")   /* the extents of a mail are of no use */                    \
	X(RECORD_DONE, 5, "done")     /* a recipient's end */                                      \
	X(RECORD_HELD, 6, "held")     /* a mail lies on hold or is dead, or no longer */

enum record_type {
#define X(id, value, name) id = value,
	RECORD_TYPES(X)
#undef X
};

enum record_flags {
	RECORD_SYNCED = 1 << 0, /* of a pad: what follows was written after a sync of all before */
};

struct record {
	enum record_type type;
	uint32_t flags;
	uint32_t batch;    /* grows with each sync */
	uint64_t sequence; /* grows by one with each record, over all segments */
	uint32_t
		previous; /* checksum of the record before; of the segment's header for the first */
	uint32_t crc;
	struct bytes payload;
};

/* Octets a record with that payload takes in the log. */
static inline uint32_t record_size(uint32_t payload_octets)
{
	return (RECORD_HEADER_SIZE + payload_octets + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1);
}

/*
 * Writes the header of `r` in front of its payload, which already stands at at + 32 (r->payload's
 * length counts, its data is not looked at), and zeros behind it. Sets and returns r->crc.
 */
uint32_t record_seal(uint8_t *at, uint32_t salt, struct record *r);
/*
 * The record at the start of `b`. Returns record_size(), or 0 if there is no whole and true record.
 * Knows nothing of the chain: that is for whoever reads several.
 */
uint32_t record_read(struct bytes b, uint32_t salt, struct record *r);
/* The record at that offset, with no salt known: it is the first, and so names it. False: none. */
bool record_first(struct bytes segment, uint32_t offset, uint32_t *salt, struct record *r);
const char *record_type_name(enum record_type type);

/* Where a piece of content lies: the extent record's place and checksum. */
struct record_extent {
	uint64_t segment;
	uint32_t offset; /* of the record */
	uint32_t octets; /* of content */
	uint32_t crc;    /* of the record */
};

/* A commit record's payload, borrowed and checked whole. */
struct record_commit {
	struct spool_envelope envelope; /* recipients and cuts NULL: see below */
	uint32_t n_extents;
	struct bytes recipients, cuts, extents; /* encoded */
	struct bytes content;                   /* what stands in the record: after the extents */
};

/* Octets of the payload without the content in it. */
uint64_t record_commit_head_size(const struct spool_envelope *envelope, uint32_t n_extents);
/*
 * Encodes all but the content, `inline_octets` of which the caller puts behind it. `out` has
 * record_commit_head_size() octets.
 */
void record_commit_encode(uint8_t *out, const struct spool_envelope *envelope,
	const struct record_extent *extents, uint32_t n_extents, uint32_t inline_octets);
/* 0 or -EBADMSG. */
int record_commit_decode(struct bytes payload, struct record_commit *commit);
/* The encoded lists as arrays of the sizes that the envelope and n_extents tell. */
void record_commit_recipients(const struct record_commit *commit, struct spool_recipient *out);
void record_commit_cuts(const struct record_commit *commit, struct spool_cut *out);
struct record_extent record_commit_extent(const struct record_commit *commit, uint32_t index);

/* An extent's payload: the queue id and the content. */
#define RECORD_EXTENT_HEAD 8u
/* The payload of abort, done and held. */
#define RECORD_NOTE_SIZE 16u

struct record_note {
	enum record_type type;
	uint64_t queue_id;
	uint32_t recipient;         /* done */
	enum spool_outcome outcome; /* done */
	enum spool_shelf shelf;     /* held */
	uint32_t since_s;           /* held: since that second of Unix time */
};

void record_extent_encode(uint8_t out[RECORD_EXTENT_HEAD], uint64_t queue_id);
int record_extent_decode(struct bytes payload, uint64_t *queue_id, struct bytes *content);
void record_note_encode(uint8_t out[RECORD_NOTE_SIZE], const struct record_note *note);
int record_note_decode(const struct record *r, struct record_note *note);
