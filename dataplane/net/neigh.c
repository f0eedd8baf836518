#include "dataplane/net/neigh.h"

/* How many entries from the oldest on are looked at for one that may be forgotten. */
#define EVICT_LOOK 16

static const char *const state_names[] = {
#define NAME(id, name) [id] = name,
	NEIGH_STATES(NAME)
#undef NAME
};

const char *neigh_state_name(enum neigh_state state)
{
	return state_names[state];
}

/* Links are index + 1, so that a cache of zeroes is empty. */
static struct neigh_entry *entry_at(struct neigh_cache *c, uint16_t link)
{
	return link ? &c->entries[link - 1] : NULL;
}

static uint16_t link_of(const struct neigh_cache *c, const struct neigh_entry *e)
{
	return (uint16_t)(e - c->entries + 1);
}

static uint16_t *bucket_of(struct neigh_cache *c, const struct ip_addr *addr)
{
	uint64_t words[2];

	memcpy(words, addr->octets, sizeof(words));
	return &c->buckets[siphash_words(&c->key, words, 2) % NEIGH_BUCKETS];
}

static struct neigh_entry *find(struct neigh_cache *c, const struct ip_addr *addr)
{
	struct neigh_entry *e = entry_at(c, *bucket_of(c, addr));

	while (e && !ip_addr_eq(&e->addr, addr))
		e = entry_at(c, e->hash_next);
	return e;
}

const struct neigh_entry *neigh_find(const struct neigh_cache *c, const struct ip_addr *addr)
{
	return find((struct neigh_cache *)c, addr);
}

static void age_unlink(struct neigh_cache *c, struct neigh_entry *e)
{
	struct neigh_entry *older = entry_at(c, e->older), *newer = entry_at(c, e->newer);

	*(older ? &older->newer : &c->oldest) = e->newer;
	*(newer ? &newer->older : &c->newest) = e->older;
}

static void age_newest(struct neigh_cache *c, struct neigh_entry *e)
{
	struct neigh_entry *newest = entry_at(c, c->newest);

	e->older = c->newest;
	e->newer = 0;
	*(newest ? &newest->newer : &c->oldest) = link_of(c, e);
	c->newest = link_of(c, e);
}

static bool waits(const struct neigh_entry *e)
{
	return e->state == NEIGH_INCOMPLETE || e->state == NEIGH_DELAY || e->state == NEIGH_PROBE ||
	       e->state == NEIGH_SILENT;
}

static void set_state(
	struct neigh_cache *c, struct neigh_entry *e, enum neigh_state state, uint64_t deadline_us)
{
	c->n_incomplete -= e->state == NEIGH_INCOMPLETE;
	e->state = (uint8_t)state;
	c->n_incomplete += e->state == NEIGH_INCOMPLETE;
	e->deadline_us = deadline_us;
	if (waits(e) && deadline_us < c->next_tick_us)
		c->next_tick_us = deadline_us;
}

static struct pkt *pending_pop(struct neigh_cache *c, struct neigh_entry *e)
{
	struct pkt *pkt = e->pending_head;

	if (!pkt)
		return NULL;
	e->pending_head = pkt->next;
	if (!e->pending_head)
		e->pending_tail = NULL;
	pkt->next = NULL;
	e->n_pending--;
	c->n_pending--;
	return pkt;
}

static void pending_push(struct neigh_cache *c, struct neigh_entry *e, struct pkt *pkt)
{
	pkt->next = NULL;
	*(e->pending_tail ? &e->pending_tail->next : &e->pending_head) = pkt;
	e->pending_tail = pkt;
	e->n_pending++;
	c->n_pending++;
}

static void drop_pending(struct neigh_cache *c, struct neigh_entry *e, enum neigh_drop why)
{
	struct pkt *pkt;

	while ((pkt = pending_pop(c, e)))
		c->owner.drop(c->owner.arg, pkt, why);
}

static void forget(struct neigh_cache *c, struct neigh_entry *e)
{
	uint16_t *link = bucket_of(c, &e->addr);

	while (*link != link_of(c, e))
		link = &entry_at(c, *link)->hash_next;
	*link = e->hash_next;
	set_state(c, e, NEIGH_FREE, 0);
	age_unlink(c, e);
	e->hash_next = c->free;
	c->free = link_of(c, e);
	c->n_used--;
}

static void evict(struct neigh_cache *c, struct neigh_entry *e)
{
	drop_pending(c, e, NEIGH_DROP_FULL);
	c->owner.event(c->owner.arg, NEIGH_EV_EVICTED);
	forget(c, e);
}

/* The oldest entry that is in a given state (FREE: any that is not pinned nor being looked for). */
static struct neigh_entry *oldest_in(struct neigh_cache *c, enum neigh_state state, unsigned look)
{
	struct neigh_entry *e = entry_at(c, c->oldest);

	for (; e && look; e = entry_at(c, e->newer), look--) {
		if (!e->pinned &&
			(state == NEIGH_FREE ? e->state != NEIGH_INCOMPLETE : e->state == state))
			return e;
	}
	return NULL;
}

static struct neigh_entry *create(struct neigh_cache *c, const struct ip_addr *addr, bool pinned)
{
	struct neigh_entry *e;
	uint16_t *bucket = bucket_of(c, addr);

	if (!c->free) {
		e = oldest_in(c, NEIGH_FREE, NEIGH_MAX_INCOMPLETE + EVICT_LOOK);
		if (!e)
			return NULL;
		evict(c, e);
	}
	e = entry_at(c, c->free);
	c->free = e->hash_next;
	*e = (struct neigh_entry){.addr = *addr, .pinned = pinned, .hash_next = *bucket};
	*bucket = link_of(c, e);
	age_newest(c, e);
	c->n_used++;
	return e;
}

void neigh_init(struct neigh_cache *c, const struct neigh_owner *owner, const uint64_t key[2])
{
	memset(c, 0, sizeof(*c));
	c->owner = *owner;
	c->key = (struct siphash_key){key[0], key[1]};
	c->next_tick_us = UINT64_MAX;
	for (uint16_t i = NEIGH_MAX; i > 0; i--) {
		c->entries[i - 1].hash_next = c->free;
		c->free = i;
	}
}

void neigh_fini(struct neigh_cache *c)
{
	for (unsigned i = 0; i < NEIGH_MAX; i++)
		drop_pending(c, &c->entries[i], NEIGH_DROP_UNREACHED);
}

static void solicit(struct neigh_cache *c, struct neigh_entry *e, uint64_t now_us)
{
	const uint8_t *mac = e->state == NEIGH_PROBE ? e->mac : NULL;

	e->probes++;
	set_state(c, e, (enum neigh_state)e->state, now_us + NEIGH_RETRANS_US);
	c->owner.solicit(c->owner.arg, &e->addr, &e->local, mac, e->pinned, now_us);
}

static void start_looking(struct neigh_cache *c, struct neigh_entry *e, uint64_t now_us)
{
	if (c->n_incomplete >= NEIGH_MAX_INCOMPLETE && e->state != NEIGH_INCOMPLETE) {
		struct neigh_entry *oldest = oldest_in(c, NEIGH_INCOMPLETE, NEIGH_MAX);

		if (oldest)
			evict(c, oldest);
	}
	e->probes = 0;
	set_state(c, e, NEIGH_INCOMPLETE, now_us + NEIGH_RETRANS_US);
	solicit(c, e, now_us);
}

static void wait_for(struct neigh_cache *c, struct neigh_entry *e, struct pkt *pkt)
{
	if (e->n_pending >= NEIGH_MAX_PENDING)
		c->owner.drop(c->owner.arg, pending_pop(c, e), NEIGH_DROP_PENDING);
	if (c->n_pending >= NEIGH_MAX_PENDING_TOTAL)
		c->owner.drop(c->owner.arg, pkt, NEIGH_DROP_PENDING);
	else
		pending_push(c, e, pkt);
}

void neigh_output(struct neigh_cache *c, struct pkt *pkt, const struct ip_addr *addr,
	const struct ip_addr *local, bool pinned, uint64_t now_us)
{
	struct neigh_entry *e = find(c, addr);

	if (!e) {
		e = create(c, addr, pinned);
		if (!e) {
			c->owner.drop(c->owner.arg, pkt, NEIGH_DROP_FULL);
			return;
		}
		e->local = *local;
		wait_for(c, e, pkt);
		start_looking(c, e, now_us);
		return;
	}
	if (link_of(c, e) != c->newest) {
		age_unlink(c, e);
		age_newest(c, e);
	}
	e->local = *local;
	e->pinned |= pinned;
	switch ((enum neigh_state)e->state) {
	case NEIGH_INCOMPLETE: wait_for(c, e, pkt); return;
	case NEIGH_SILENT: c->owner.drop(c->owner.arg, pkt, NEIGH_DROP_UNREACHED); return;
	case NEIGH_REACHABLE:
		if (now_us < e->deadline_us)
			break;
		/* fall through */
	case NEIGH_STALE: set_state(c, e, NEIGH_DELAY, now_us + NEIGH_DELAY_US); break;
	default: break;
	}
	c->owner.send(c->owner.arg, pkt, e->mac);
}

static void send_pending(struct neigh_cache *c, struct neigh_entry *e)
{
	struct pkt *pkt;

	while ((pkt = pending_pop(c, e)))
		c->owner.send(c->owner.arg, pkt, e->mac);
}

static void mark_known(
	struct neigh_cache *c, struct neigh_entry *e, bool reachable, uint64_t now_us)
{
	e->probes = 0;
	if (reachable)
		set_state(c, e, NEIGH_REACHABLE, now_us + NEIGH_REACHABLE_US);
	else
		set_state(c, e, NEIGH_STALE, 0);
}

void neigh_learn(struct neigh_cache *c, const struct ip_addr *addr, const struct neigh_news *news,
	uint64_t now_us)
{
	struct neigh_entry *e = find(c, addr);
	bool known, differs;

	if (!e) {
		if (!news->create || !news->mac || !(e = create(c, addr, false)))
			return;
	}
	known = e->state != NEIGH_FREE && e->state != NEIGH_INCOMPLETE && e->state != NEIGH_SILENT;
	if (!known) {
		if (!news->mac)
			return;
		memcpy(e->mac, news->mac, sizeof(e->mac));
		mark_known(c, e, news->solicited, now_us);
		c->owner.event(c->owner.arg, NEIGH_EV_LEARNED);
		send_pending(c, e);
		return;
	}
	differs = news->mac && memcmp(e->mac, news->mac, sizeof(e->mac)) != 0;
	if (differs && !news->override) {
		if (e->state == NEIGH_REACHABLE)
			mark_known(c, e, false, now_us);
		return;
	}
	if (differs)
		memcpy(e->mac, news->mac, sizeof(e->mac));
	if (news->solicited || differs)
		mark_known(c, e, news->solicited, now_us);
}

static void expire(struct neigh_cache *c, struct neigh_entry *e, uint64_t now_us)
{
	switch ((enum neigh_state)e->state) {
	case NEIGH_DELAY:
		e->probes = 0;
		set_state(c, e, NEIGH_PROBE, now_us);
		solicit(c, e, now_us);
		break;
	case NEIGH_INCOMPLETE:
	case NEIGH_PROBE:
		if (e->probes < NEIGH_PROBES) {
			solicit(c, e, now_us);
			break;
		}
		c->owner.event(c->owner.arg, NEIGH_EV_FAILED);
		if (e->state == NEIGH_PROBE) { /* it may have moved: the next packet asks all */
			forget(c, e);
			break;
		}
		drop_pending(c, e, NEIGH_DROP_UNREACHED);
		set_state(c, e, NEIGH_SILENT, now_us + NEIGH_SILENT_US);
		break;
	case NEIGH_SILENT: forget(c, e); break;
	default: break;
	}
}

/* Few entries wait at a time and ticks are rare, so all entries are looked at rather than sorted.
 */
uint64_t neigh_timers(struct neigh_cache *c, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;

	if (now_us < c->next_tick_us)
		return c->next_tick_us;
	c->next_tick_us = UINT64_MAX;
	for (unsigned i = 0; i < NEIGH_MAX; i++) {
		struct neigh_entry *e = &c->entries[i];

		if (waits(e) && e->deadline_us <= now_us)
			expire(c, e, now_us);
		if (waits(e) && e->deadline_us < next)
			next = e->deadline_us;
	}
	if (next != UINT64_MAX && next < now_us + NEIGH_TICK_US)
		next = now_us + NEIGH_TICK_US;
	c->next_tick_us = next;
	return next;
}
