#include "dataplane/tcp/tcp_scoreboard_priv.h"

#include "dataplane/tcp/tcp_seq_priv.h"

#include <string.h>

#define DUP_THRESH 3u /* RFC 6675 §2 */

void tcp_scoreboard_init(struct tcp_scoreboard *s)
{
	s->count = 0;
	s->octets = 0;
}

static void remove_ranges(struct tcp_scoreboard *s, uint32_t at, uint32_t n)
{
	for (uint32_t i = at; i < at + n; i++)
		s->octets -= s->ranges[i].end - s->ranges[i].start;
	s->count -= n;
	memmove(&s->ranges[at], &s->ranges[at + n], (s->count - at) * sizeof(s->ranges[0]));
}

static bool insert_range(struct tcp_scoreboard *s, uint32_t at, struct tcp_range block)
{
	if (s->count == TCP_SCOREBOARD_RANGES)
		return false;
	memmove(&s->ranges[at + 1], &s->ranges[at], (s->count - at) * sizeof(s->ranges[0]));
	s->ranges[at] = block;
	s->count++;
	s->octets += block.end - block.start;
	return true;
}

bool tcp_scoreboard_add(struct tcp_scoreboard *s, struct tcp_range block)
{
	uint32_t before = s->octets;
	uint32_t first = s->count, last;

	/* Ranges [first, last) touch the block and melt into it. */
	while (first > 0 && tcp_seq_ge(s->ranges[first - 1].end, block.start))
		first--;
	for (last = first; last < s->count; last++) {
		if (tcp_seq_gt(s->ranges[last].start, block.end))
			break;
		block.start = tcp_seq_min(block.start, s->ranges[last].start);
		block.end = tcp_seq_max(block.end, s->ranges[last].end);
	}
	remove_ranges(s, first, last - first);
	return insert_range(s, first, block) && s->octets > before;
}

void tcp_scoreboard_advance(struct tcp_scoreboard *s, uint32_t una)
{
	uint32_t gone = 0;

	while (gone < s->count && tcp_seq_le(s->ranges[gone].end, una))
		gone++;
	remove_ranges(s, 0, gone);
	if (s->count > 0 && tcp_seq_lt(s->ranges[0].start, una)) {
		s->octets -= una - s->ranges[0].start;
		s->ranges[0].start = una;
	}
}

uint32_t tcp_scoreboard_within(const struct tcp_scoreboard *s, uint32_t from, uint32_t to)
{
	uint32_t octets = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t start = tcp_seq_max(s->ranges[i].start, from);
		uint32_t end = tcp_seq_min(s->ranges[i].end, to);

		if (tcp_seq_lt(start, end))
			octets += end - start;
	}
	return octets;
}

bool tcp_scoreboard_hole(
	const struct tcp_scoreboard *s, uint32_t from, uint32_t limit, struct tcp_range *hole)
{
	uint32_t i = 0;

	while (i < s->count && tcp_seq_le(s->ranges[i].start, from)) {
		from = tcp_seq_max(from, s->ranges[i].end);
		i++;
	}
	if (tcp_seq_ge(from, limit))
		return false;
	hole->start = from;
	hole->end = i < s->count ? tcp_seq_min(s->ranges[i].start, limit) : limit;
	return true;
}

uint32_t tcp_scoreboard_lost_edge(const struct tcp_scoreboard *s, uint32_t una, uint32_t mss)
{
	uint32_t octets = 0;

	for (uint32_t i = s->count; i > 0; i--) {
		octets += s->ranges[i - 1].end - s->ranges[i - 1].start;
		if (s->count - i + 1 >= DUP_THRESH || octets > (DUP_THRESH - 1) * mss)
			return s->ranges[i - 1].start;
	}
	return una;
}
