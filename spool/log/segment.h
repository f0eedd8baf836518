/*
 * Segments: the files of the log, of one size, filled with zeros before use. A segment's first
 * block is its header, which carries the number that makes its records its own, and where the
 * segments before it end: what stands there behind that end was never acknowledged.
 */
#pragma once

#include <pthread.h>

#include "base/bytes.h"

#define SEGMENT_HEADER_SIZE 4096u
#define SEGMENT_MAX_ENDS    200u
#define SEGMENT_NAME_SIZE   40u

/* Names: segment-NUMBER (20 digits), spare-NUMBER, making (being filled), segment-NUMBER.bad. */
void segment_name(uint64_t number, char out[SEGMENT_NAME_SIZE]);
void segment_bad_name(uint64_t number, char out[SEGMENT_NAME_SIZE]);
void segment_spare_name(uint64_t number, char out[SEGMENT_NAME_SIZE]);
bool segment_name_parse(const char *name, uint64_t *number);
bool segment_spare_name_parse(const char *name, uint64_t *number);
#define SEGMENT_MAKING_NAME "making"

struct segment_end {
	uint64_t number;
	uint32_t end;
};

struct segment_header {
	uint64_t number;
	uint64_t created_us;
	uint64_t first_sequence;
	uint64_t highest_queue_id;
	uint32_t first_batch;
	uint32_t n_ends;
	struct segment_end ends[SEGMENT_MAX_ENDS]; /* of the newest before this one */
};

/* Returns the salt, which is also what the first record names as the one before. */
uint32_t segment_header_encode(uint8_t out[SEGMENT_HEADER_SIZE], const struct segment_header *h);
/* 0 or -EBADMSG. */
int segment_header_decode(struct bytes block, struct segment_header *h, uint32_t *salt);

/* A segment that is in the log. */
struct segment {
	struct segment *next; /* by number, ascending */
	uint64_t number;
	uint64_t first_sequence; /* of its records; only recovery needs it */
	uint32_t first_batch;
	uint64_t created_us; /* Unix time; 0: not known */
	uint32_t salt;
	uint32_t end;  /* octets in use, known good */
	uint32_t live; /* mails, and mails still arriving, with bytes here */
	uint32_t pins; /* readers; under the table's lock */
	uint64_t live_octets;
	uint64_t file_octets; /* 0: not looked at */
	bool bad;             /* something in it did not check: kept aside when it goes */
	bool failed;          /* a sync of it failed: not used again */
	bool copied;          /* its mails were copied forward, or tried to */
};

/* The spooler's; `lock` guards where items lie, and pins, for readers on other threads. */
struct segment_table {
	struct segment *first, *last;
	uint32_t count;
	struct segment **by_number; /* the same, to be searched */
	uint32_t cap;
	pthread_mutex_t lock;
};

void segment_table_init(struct segment_table *t);
void segment_table_fini(struct segment_table *t);
/* Numbers ascend. NULL when out of memory. */
struct segment *segment_table_add(struct segment_table *t, uint64_t number, uint32_t salt);
struct segment *segment_table_find(const struct segment_table *t, uint64_t number);
void segment_table_remove(struct segment_table *t, struct segment *segment);
