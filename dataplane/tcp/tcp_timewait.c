#include "dataplane/tcp/tcp_timewait_priv.h"

#include "dataplane/tcp/tcp_table_priv.h"

#include <errno.h>

int tcp_timewait_init(struct tcp_timewait *tw, unsigned max)
{
	int err;

	*tw = (struct tcp_timewait){0};
	tw->buckets = tcp_table_map_buckets(max, &tw->mask);
	if (!tw->buckets)
		return -ENOMEM;
	err = slab_init(&tw->slab, sizeof(struct tcp_timewait_entry), max);
	if (err)
		tcp_table_unmap_buckets(tw->buckets, tw->mask);
	return err;
}

void tcp_timewait_fini(struct tcp_timewait *tw)
{
	tcp_table_unmap_buckets(tw->buckets, tw->mask);
	slab_fini(&tw->slab);
}

static void age_link(struct tcp_timewait *tw, struct tcp_timewait_entry *e, uint64_t now_us)
{
	e->expires_us = now_us + TCP_TIMEWAIT_US;
	e->older = tw->newest;
	e->newer = NULL;
	if (tw->newest)
		tw->newest->newer = e;
	else
		tw->oldest = e;
	tw->newest = e;
}

static void age_unlink(struct tcp_timewait *tw, struct tcp_timewait_entry *e)
{
	if (e->older)
		e->older->newer = e->newer;
	else
		tw->oldest = e->newer;
	if (e->newer)
		e->newer->older = e->older;
	else
		tw->newest = e->older;
}

struct tcp_timewait_entry *tcp_timewait_add(struct tcp_timewait *tw, const struct tcp_tuple *tuple,
	uint32_t hash, uint64_t now_us, bool *evicted)
{
	struct tcp_timewait_entry **bucket = &tw->buckets[hash & tw->mask];
	struct tcp_timewait_entry *e = slab_get(&tw->slab);

	*evicted = !e;
	if (!e) {
		tcp_timewait_remove(tw, tw->oldest);
		e = slab_get(&tw->slab);
	}
	*e = (struct tcp_timewait_entry){.tuple = *tuple, .hash = hash, .hash_next = *bucket};
	*bucket = e;
	age_link(tw, e, now_us);
	return e;
}

struct tcp_timewait_entry *tcp_timewait_find(
	const struct tcp_timewait *tw, const struct tcp_tuple *tuple, uint32_t hash)
{
	struct tcp_timewait_entry *e = NULL;

	/* Looking into a table that is empty would only make it come into memory. */
	if (tw->oldest)
		e = tw->buckets[hash & tw->mask];
	while (e && (e->hash != hash || !tcp_tuple_eq(&e->tuple, tuple)))
		e = e->hash_next;
	return e;
}

void tcp_timewait_restart(struct tcp_timewait *tw, struct tcp_timewait_entry *e, uint64_t now_us)
{
	age_unlink(tw, e);
	age_link(tw, e, now_us);
}

void tcp_timewait_remove(struct tcp_timewait *tw, struct tcp_timewait_entry *e)
{
	struct tcp_timewait_entry **at = &tw->buckets[e->hash & tw->mask];

	while (*at != e)
		at = &(*at)->hash_next;
	*at = e->hash_next;
	age_unlink(tw, e);
	slab_put(&tw->slab, e);
}

uint64_t tcp_timewait_sweep(struct tcp_timewait *tw, uint64_t now_us)
{
	while (tw->oldest && tw->oldest->expires_us <= now_us)
		tcp_timewait_remove(tw, tw->oldest);
	return tw->oldest ? tw->oldest->expires_us : UINT64_MAX;
}
