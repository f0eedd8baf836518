/*
 * Recovery from segments of records and random octets. The input says which records stand in the
 * segment and what is then overwritten; whatever that is, a scan ends, stays inside, gives records
 * in order, and never one that was not written.
 */

#include <assert.h>
#include <stdlib.h>

#include "spool/log/scan.h"
#include "spool/log/segment.h"

#define SEGMENT   (16u << 10)
#define SALT      0x5a17u
#define MOST      64u
#define SCAN_MOST 100000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t segment[SEGMENT];
static uint32_t crcs[MOST];

static unsigned write_records(struct cursor *in)
{
	uint32_t at = SEGMENT_HEADER_SIZE, chain = SALT, batch = 1;
	unsigned n = 0;

	while (n < MOST && cursor_left(in) >= 2) {
		uint32_t len = (uint32_t)cursor_next(in) * 16u;
		int how = cursor_next(in);
		struct record r = {
			.type = (enum record_type)(1 + how % 6),
			.flags = how & 0x80 ? RECORD_SYNCED : 0,
			.batch = batch,
			.sequence = n + 1,
			.previous = chain,
			.payload = bytes_of(segment + at + RECORD_HEADER_SIZE, len),
		};

		if (how == 0xff || at + record_size(len) > SEGMENT)
			break;
		memset(segment + at + RECORD_HEADER_SIZE, how, len);
		chain = crcs[n++] = record_seal(segment + at, SALT, &r);
		at += record_size(len);
		batch += (how & 0x80) != 0;
	}
	return n;
}

static void damage(struct cursor *in)
{
	struct bytes piece;

	while (cursor_left(in) >= 4) {
		struct bytes head;
		uint32_t at, len;

		cursor_take(in, 4, &head);
		at = (uint32_t)(head.data[0] << 8 | head.data[1]) % SEGMENT;
		len = (uint32_t)(head.data[2] << 8 | head.data[3]) % 4096;
		if (len > cursor_left(in))
			len = (uint32_t)cursor_left(in);
		if (len > SEGMENT - at)
			len = SEGMENT - at;
		cursor_take(in, len, &piece);
		memcpy(segment + at, piece.data, len);
	}
}

static void walk(unsigned n, uint32_t end)
{
	uint64_t last = 0;
	uint32_t offset = 0, before = 0;
	unsigned steps = 0;
	struct record r;
	struct scan s;

	scan_init(&s, bytes_of(segment, SEGMENT), SALT, 1, 1, end);
	for (;;) {
		enum scan_event e = scan_next(&s, &r, &offset);

		assert(steps++ < SCAN_MOST && s.at <= SEGMENT);
		if (e == SCAN_END)
			return;
		assert(s.at > before);
		before = s.at;
		if (e == SCAN_GAP)
			continue;
		assert(r.sequence > last && r.sequence <= n);
		assert(r.crc == crcs[r.sequence - 1]);
		last = r.sequence;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_of(bytes_of(data, size));
	uint32_t end;
	unsigned n;

	if (size < 4)
		return 0;
	memset(segment, 0, sizeof(segment));
	end = (uint32_t)(data[0] << 8 | data[1]);
	in.at += 2;
	n = write_records(&in);
	damage(&in);
	walk(n, SCAN_END_UNKNOWN);
	walk(n, end);
	return 0;
}
