/*
 * Reading a segment's records in order, without I/O.
 *
 * Where a record does not check, two things may have happened. A write that was never synced may be
 * torn: then the log ends there. Or what was synced has rotted: then records of a later batch stand
 * behind it (a batch is only written after the one before was synced), and reading goes on there.
 */
#pragma once

#include "spool/log/record.h"

#define SCAN_END_UNKNOWN UINT32_MAX

enum scan_event {
	SCAN_RECORD,
	SCAN_GAP, /* octets [gap_from, at) of what was synced do not check */
	SCAN_END, /* nothing good stands at or behind `at` */
};

struct scan {
	struct bytes segment; /* the file's octets, header included */
	uint32_t salt;
	uint32_t end;      /* known end, or SCAN_END_UNKNOWN */
	uint32_t at;       /* where the next record stands */
	uint64_t sequence; /* of the next record */
	uint32_t batch;    /* of the last record */
	uint32_t chain;
	bool synced; /* the last record ended its batch */
	bool resync; /* the chain is broken: take the next record as it is */
	uint32_t gap_from;
};

/* `sequence` and `batch` as the segment's header has them. */
void scan_init(struct scan *s, struct bytes segment, uint32_t salt, uint64_t sequence,
	uint32_t batch, uint32_t end);
/* The next record and its offset in the segment. */
enum scan_event scan_next(struct scan *s, struct record *r, uint32_t *offset);
