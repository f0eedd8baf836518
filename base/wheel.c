#include "base/wheel.h"

#include <string.h>

#define SLOT_MASK    (WHEEL_SLOTS - 1)
#define SLOT_EXPIRED (WHEEL_LEVELS * WHEEL_SLOTS)
#define TICK_MAX     ((UINT64_C(1) << (WHEEL_LEVELS * WHEEL_SLOT_BITS)) - 1)

_Static_assert(WHEEL_LEVELS *WHEEL_SLOT_BITS + WHEEL_TICK_SHIFT == 64, "levels cover all times");

void wheel_init(struct wheel *w, uint64_t now_us)
{
	memset(w, 0, sizeof(*w));
	w->tick = now_us >> WHEEL_TICK_SHIFT;
}

/* Rounded up, so that a timer is never early. */
static uint64_t tick_of_deadline(uint64_t deadline_us)
{
	uint64_t tick = deadline_us >> WHEEL_TICK_SHIFT;

	if ((deadline_us & (WHEEL_TICK_US - 1)) != 0 && tick < TICK_MAX)
		tick++;
	return tick;
}

static void link_at(struct wheel_timer **head, struct wheel_timer *t)
{
	t->next = *head;
	if (t->next)
		t->next->link = &t->next;
	t->link = head;
	*head = t;
}

/*
 * The level is that of the highest digit (of 6 bits) in which the timer's tick differs from now's.
 * So at every level only slots above the present digit are occupied, and nothing wraps round.
 */
static void place(struct wheel *w, struct wheel_timer *t)
{
	uint64_t tick = tick_of_deadline(t->deadline_us);
	unsigned level, digit;

	if (tick <= w->tick) {
		t->slot = SLOT_EXPIRED;
		link_at(&w->expired, t);
		return;
	}
	level = (63 - (unsigned)__builtin_clzll(tick ^ w->tick)) / WHEEL_SLOT_BITS;
	digit = (tick >> (level * WHEEL_SLOT_BITS)) & SLOT_MASK;
	t->slot = (uint16_t)(level * WHEEL_SLOTS + digit);
	w->occupied[level] |= UINT64_C(1) << digit;
	link_at(&w->slots[t->slot], t);
}

static void unlink_timer(struct wheel *w, struct wheel_timer *t)
{
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->next = NULL;
	t->link = NULL;
	if (t->slot != SLOT_EXPIRED && !w->slots[t->slot])
		w->occupied[t->slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << (t->slot & SLOT_MASK));
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t deadline_us)
{
	wheel_disarm(w, t);
	t->deadline_us = deadline_us;
	place(w, t);
	w->armed++;
}

void wheel_disarm(struct wheel *w, struct wheel_timer *t)
{
	if (!wheel_armed(t))
		return;
	unlink_timer(w, t);
	w->armed--;
}

/* The slot that comes next in time, as level and first tick; false when the wheel is empty. */
static bool next_slot(const struct wheel *w, unsigned *level, uint64_t *tick)
{
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		unsigned shift = l * WHEEL_SLOT_BITS;
		uint64_t above;

		if (!w->occupied[l])
			continue;
		above = w->tick >> shift >> WHEEL_SLOT_BITS << WHEEL_SLOT_BITS;
		*level = l;
		*tick = (above | (unsigned)__builtin_ctzll(w->occupied[l])) << shift;
		return true;
	}
	return false;
}

/*
 * Moves timers of a slot whose first tick is now: down a level, or to the expired. Not all of very
 * many; the slot stays open then, and none that is left in it is due before its turn.
 */
static void open_slot(struct wheel *w, unsigned level)
{
	unsigned digit = (w->tick >> (level * WHEEL_SLOT_BITS)) & SLOT_MASK;
	struct wheel_timer **head = &w->slots[level * WHEEL_SLOTS + digit];
	struct wheel_timer *t = *head;

	for (unsigned n = 0; t && n < WHEEL_MOVES; n++) {
		struct wheel_timer *next = t->next;

		__builtin_prefetch(next, 1);
		place(w, t);
		t = next;
	}
	*head = t;
	if (t)
		t->link = head;
	else
		w->occupied[level] &= ~(UINT64_C(1) << digit);
	w->opening = t ? (uint8_t)(level + 1) : 0;
}

/* Goes on to the next slot up to `now` that holds anything. */
static bool open_next(struct wheel *w, uint64_t now)
{
	unsigned level;
	uint64_t tick;

	if (!next_slot(w, &level, &tick) || tick > now) {
		w->tick = now;
		return false;
	}
	w->tick = tick;
	open_slot(w, level);
	return true;
}

struct wheel_timer *wheel_pop_expired(struct wheel *w, uint64_t now_us)
{
	uint64_t now = now_us >> WHEEL_TICK_SHIFT;
	struct wheel_timer *t;

	if (!w->expired && w->opening)
		open_slot(w, w->opening - 1u);
	while (!w->expired && !w->opening && w->tick < now && open_next(w, now))
		;
	t = w->expired;
	if (t)
		wheel_disarm(w, t);
	return t;
}

uint64_t wheel_next_us(const struct wheel *w)
{
	unsigned level;
	uint64_t tick;

	if (wheel_is_behind(w))
		return 0;
	return next_slot(w, &level, &tick) ? tick << WHEEL_TICK_SHIFT : UINT64_MAX;
}
