#include "dataplane/tcp/tcp_reasm_priv.h"

#include "dataplane/tcp/tcp_seq_priv.h"

#include <string.h>

void tcp_reasm_init(struct tcp_reasm *r)
{
	r->true_size = 0;
	r->count = 0;
	r->history_count = 0;
}

static void free_packets(struct tcp_reasm *r, struct pkt *pkt)
{
	while (pkt) {
		struct pkt *next = pkt->next;

		r->true_size -= pkt->true_size;
		pkt_free(pkt);
		pkt = next;
	}
}

void tcp_reasm_clear(struct tcp_reasm *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		free_packets(r, r->ranges[i].head);
	tcp_reasm_init(r);
}

bool tcp_reasm_coalesce(struct pkt *tail, struct pkt *pkt)
{
	if (pkt->len > TCP_REASM_COPY_MAX || pkt->len > tail->tailroom)
		return false;
	memcpy(tail->data + tail->len, pkt->data, pkt->len);
	tail->len = (uint16_t)(tail->len + pkt->len);
	tail->tailroom = (uint16_t)(tail->tailroom - pkt->len);
	pkt_free(pkt);
	return true;
}

/* The first range that ends at or behind `seq`; the latest one is the likeliest, so look there
 * first. */
static uint32_t find_range(const struct tcp_reasm *r, uint32_t seq)
{
	uint32_t i = r->count;

	while (i > 0 && tcp_seq_ge(r->ranges[i - 1].end, seq))
		i--;
	return i;
}

static void remove_range(struct tcp_reasm *r, uint32_t i)
{
	r->count--;
	memmove(&r->ranges[i], &r->ranges[i + 1], (r->count - i) * sizeof(r->ranges[0]));
}

static void insert_range(struct tcp_reasm *r, uint32_t i, uint32_t seq, struct pkt *pkt)
{
	memmove(&r->ranges[i + 1], &r->ranges[i], (r->count - i) * sizeof(r->ranges[0]));
	r->count++;
	r->ranges[i] = (struct tcp_reasm_range){seq, seq + pkt->len, pkt, pkt};
	r->true_size += pkt->true_size;
}

static void append_packet(struct tcp_reasm *r, struct tcp_reasm_range *range, struct pkt *pkt)
{
	range->end += pkt->len;
	if (tcp_reasm_coalesce(range->tail, pkt))
		return;
	r->true_size += pkt->true_size;
	range->tail->next = pkt;
	range->tail = pkt;
}

static void prepend_packet(struct tcp_reasm *r, struct tcp_reasm_range *range, struct pkt *pkt)
{
	r->true_size += pkt->true_size;
	range->start -= pkt->len;
	pkt->next = range->head;
	range->head = pkt;
}

static void join_with_next(struct tcp_reasm *r, uint32_t i)
{
	struct tcp_reasm_range *range = &r->ranges[i];

	range->tail->next = range[1].head;
	range->tail = range[1].tail;
	range->end = range[1].end;
	remove_range(r, i + 1);
}

static void remember(struct tcp_reasm *r, uint32_t seq)
{
	if (r->history_count < TCP_REASM_HISTORY)
		r->history_count++;
	memmove(&r->history[1], &r->history[0], (r->history_count - 1) * sizeof(r->history[0]));
	r->history[0] = seq;
}

/* Cuts off the end of pkt what ranges from i on hold; those it covers whole are freed instead. */
static void clip_end(struct tcp_reasm *r, uint32_t i, uint32_t seq, struct pkt *pkt)
{
	while (i < r->count && tcp_seq_le(r->ranges[i].end, seq + pkt->len)) {
		free_packets(r, r->ranges[i].head);
		remove_range(r, i);
	}
	if (i < r->count && tcp_seq_lt(r->ranges[i].start, seq + pkt->len)) {
		uint32_t len = r->ranges[i].start - seq;

		pkt->tailroom = (uint16_t)(pkt->tailroom + (pkt->len - len));
		pkt->len = (uint16_t)len;
	}
}

static bool room_for_range(struct tcp_reasm *r, uint32_t i, unsigned *dropped)
{
	if (r->count < TCP_REASM_RANGES)
		return true;
	if (i == r->count)
		return false;
	free_packets(r, r->ranges[r->count - 1].head);
	remove_range(r, r->count - 1);
	(*dropped)++;
	return true;
}

enum tcp_reasm_result tcp_reasm_insert(
	struct tcp_reasm *r, struct pkt *pkt, uint32_t seq, unsigned *dropped)
{
	uint32_t i = find_range(r, seq);
	bool left = i < r->count && tcp_seq_le(r->ranges[i].start, seq);

	pkt->next = NULL;
	if (left) {
		uint32_t held = r->ranges[i].end - seq;

		if (held >= pkt->len) {
			pkt_free(pkt);
			remember(r, seq);
			return TCP_REASM_DUPLICATE;
		}
		pkt->data += held;
		pkt->len = (uint16_t)(pkt->len - held);
		seq += held;
		i++;
	}
	clip_end(r, i, seq, pkt);
	if (left) {
		append_packet(r, &r->ranges[i - 1], pkt);
		if (i < r->count && r->ranges[i].start == r->ranges[i - 1].end)
			join_with_next(r, i - 1);
	} else if (i < r->count && r->ranges[i].start == seq + pkt->len) {
		prepend_packet(r, &r->ranges[i], pkt);
	} else {
		if (!room_for_range(r, i, dropped)) {
			pkt_free(pkt);
			return TCP_REASM_FULL;
		}
		insert_range(r, i, seq, pkt);
	}
	remember(r, seq);
	return TCP_REASM_STORED;
}

struct pkt *tcp_reasm_take(struct tcp_reasm *r, uint32_t seq, uint32_t *end, struct pkt **tail)
{
	struct pkt *head;

	if (r->count == 0 || r->ranges[0].start != seq)
		return NULL;
	head = r->ranges[0].head;
	*tail = r->ranges[0].tail;
	*end = r->ranges[0].end;
	for (struct pkt *pkt = head; pkt; pkt = pkt->next)
		r->true_size -= pkt->true_size;
	remove_range(r, 0);
	return head;
}

bool tcp_reasm_drop_furthest(struct tcp_reasm *r)
{
	if (r->count < 2)
		return false;
	free_packets(r, r->ranges[r->count - 1].head);
	remove_range(r, r->count - 1);
	return true;
}

/* The range that holds `seq`, unless it is already among the n of `out`; NULL if none. */
static const struct tcp_reasm_range *range_to_report(
	const struct tcp_reasm *r, uint32_t seq, const struct tcp_range *out, unsigned n)
{
	uint32_t i = find_range(r, seq + 1);

	if (i == r->count || tcp_seq_gt(r->ranges[i].start, seq))
		return NULL;
	for (unsigned k = 0; k < n; k++)
		if (out[k].start == r->ranges[i].start)
			return NULL;
	return &r->ranges[i];
}

unsigned tcp_reasm_sack(const struct tcp_reasm *r, struct tcp_range *out, unsigned max)
{
	unsigned n = 0;

	for (uint32_t h = 0; h < r->history_count && n < max; h++) {
		const struct tcp_reasm_range *range = range_to_report(r, r->history[h], out, n);

		if (range)
			out[n++] = (struct tcp_range){range->start, range->end};
	}
	/* Room left: ranges not touched lately, from the first hole on. */
	for (uint32_t i = 0; i < r->count && n < max; i++) {
		const struct tcp_reasm_range *range =
			range_to_report(r, r->ranges[i].start, out, n);

		if (range)
			out[n++] = (struct tcp_range){range->start, range->end};
	}
	return n;
}
