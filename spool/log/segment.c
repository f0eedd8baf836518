#include "spool/log/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "spool/log/wire.h"

#define SEGMENT_MAGIC   UINT64_C(0x31474f4c4e545350) /* "PSTNLOG1" */
#define SEGMENT_PREFIX  "segment-"
#define SPARE_PREFIX    "spare-"
#define NUMBER_DIGITS   20
#define SEGMENT_AT_ENDS 64
#define END_SIZE        16

enum {
	AT_MAGIC = 0,
	AT_CRC = 8,
	AT_ENDS_COUNT = 12,
	AT_NUMBER = 16,
	AT_CREATED = 24,
	AT_SEQUENCE = 32,
	AT_HIGHEST = 40,
	AT_BATCH = 48,
};

_Static_assert(SEGMENT_AT_ENDS + SEGMENT_MAX_ENDS * END_SIZE <= SEGMENT_HEADER_SIZE,
	"the ends fit into the header");

void segment_name(uint64_t number, char out[SEGMENT_NAME_SIZE])
{
	snprintf(out, SEGMENT_NAME_SIZE, SEGMENT_PREFIX "%020llu", (unsigned long long)number);
}

void segment_bad_name(uint64_t number, char out[SEGMENT_NAME_SIZE])
{
	snprintf(out, SEGMENT_NAME_SIZE, SEGMENT_PREFIX "%020llu.bad", (unsigned long long)number);
}

void segment_spare_name(uint64_t number, char out[SEGMENT_NAME_SIZE])
{
	snprintf(out, SEGMENT_NAME_SIZE, SPARE_PREFIX "%020llu", (unsigned long long)number);
}

static bool name_parse(const char *name, struct bytes prefix, uint64_t *number)
{
	struct bytes text = bytes_str(name);

	return bytes_starts(text, prefix) && text.len == prefix.len + NUMBER_DIGITS &&
	       bytes_to_u64(bytes_from(text, prefix.len), UINT64_MAX, number) == 0;
}

bool segment_name_parse(const char *name, uint64_t *number)
{
	return name_parse(name, BYTES(SEGMENT_PREFIX), number);
}

bool segment_spare_name_parse(const char *name, uint64_t *number)
{
	return name_parse(name, BYTES(SPARE_PREFIX), number);
}

static uint32_t header_crc(const uint8_t *block)
{
	return crc32c(
		crc32c(0, block, AT_CRC), block + AT_CRC + 4, SEGMENT_HEADER_SIZE - AT_CRC - 4);
}

uint32_t segment_header_encode(uint8_t out[SEGMENT_HEADER_SIZE], const struct segment_header *h)
{
	uint32_t salt;

	memset(out, 0, SEGMENT_HEADER_SIZE);
	wire_put64(out + AT_MAGIC, SEGMENT_MAGIC);
	wire_put32(out + AT_ENDS_COUNT, h->n_ends);
	wire_put64(out + AT_NUMBER, h->number);
	wire_put64(out + AT_CREATED, h->created_us);
	wire_put64(out + AT_SEQUENCE, h->first_sequence);
	wire_put64(out + AT_HIGHEST, h->highest_queue_id);
	wire_put32(out + AT_BATCH, h->first_batch);
	for (uint32_t i = 0; i < h->n_ends; i++) {
		wire_put64(out + SEGMENT_AT_ENDS + i * END_SIZE, h->ends[i].number);
		wire_put32(out + SEGMENT_AT_ENDS + i * END_SIZE + 8, h->ends[i].end);
	}
	salt = header_crc(out);
	wire_put32(out + AT_CRC, salt);
	return salt;
}

int segment_header_decode(struct bytes block, struct segment_header *h, uint32_t *salt)
{
	const uint8_t *at = block.data;

	if (block.len < SEGMENT_HEADER_SIZE || wire_get64(at + AT_MAGIC) != SEGMENT_MAGIC ||
		wire_get32(at + AT_CRC) != header_crc(at) ||
		wire_get32(at + AT_ENDS_COUNT) > SEGMENT_MAX_ENDS)
		return -EBADMSG;
	h->n_ends = wire_get32(at + AT_ENDS_COUNT);
	h->number = wire_get64(at + AT_NUMBER);
	h->created_us = wire_get64(at + AT_CREATED);
	h->first_sequence = wire_get64(at + AT_SEQUENCE);
	h->highest_queue_id = wire_get64(at + AT_HIGHEST);
	h->first_batch = wire_get32(at + AT_BATCH);
	for (uint32_t i = 0; i < h->n_ends; i++) {
		h->ends[i].number = wire_get64(at + SEGMENT_AT_ENDS + i * END_SIZE);
		h->ends[i].end = wire_get32(at + SEGMENT_AT_ENDS + i * END_SIZE + 8);
	}
	*salt = wire_get32(at + AT_CRC);
	return 0;
}

void segment_table_init(struct segment_table *t)
{
	*t = (struct segment_table){0};
	pthread_mutex_init(&t->lock, NULL);
}

void segment_table_fini(struct segment_table *t)
{
	while (t->first)
		segment_table_remove(t, t->first);
	free(t->by_number);
	pthread_mutex_destroy(&t->lock);
}

static bool grow(struct segment_table *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 64;
	struct segment **grown = realloc(t->by_number, cap * sizeof(struct segment *));

	if (!grown)
		return false;
	t->by_number = grown;
	t->cap = cap;
	return true;
}

/* How many have a lower number. */
static uint32_t place_of(const struct segment_table *t, uint64_t number)
{
	uint32_t low = 0, high = t->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->by_number[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct segment *segment_table_add(struct segment_table *t, uint64_t number, uint32_t salt)
{
	struct segment *s = t->count < t->cap || grow(t) ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->number = number;
	s->salt = salt;
	if (t->last)
		t->last->next = s;
	else
		t->first = s;
	t->last = s;
	t->by_number[t->count++] = s;
	return s;
}

struct segment *segment_table_find(const struct segment_table *t, uint64_t number)
{
	uint32_t place = place_of(t, number);

	return place < t->count && t->by_number[place]->number == number ? t->by_number[place]
									 : NULL;
}

void segment_table_remove(struct segment_table *t, struct segment *segment)
{
	uint32_t place = place_of(t, segment->number);
	struct segment *before = place ? t->by_number[place - 1] : NULL;

	*(before ? &before->next : &t->first) = segment->next;
	if (t->last == segment)
		t->last = before;
	t->count--;
	memmove(t->by_number + place, t->by_number + place + 1,
		(t->count - place) * sizeof(struct segment *));
	free(segment);
}
