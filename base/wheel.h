/*
 * Hierarchical timing wheel (Varghese and Lauck, SOSP 1987, scheme 7) on virtual time: the caller
 * says what time it is. Arm, disarm and expiry are O(1); a timer is moved down at most once a
 * level.
 *
 * A timer never fires early and fires at most one tick (1.024 ms) after its deadline, provided that
 * the wheel is asked. Timers come out in the order of their ticks; within a tick in no order.
 *
 * A million timers armed together lie in one slot, and moving them takes longer than anything else
 * may wait: they are moved WHEEL_MOVES at a time, and are that much later.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_SHIFT 10 /* microseconds to ticks */
#define WHEEL_TICK_US    (1u << WHEEL_TICK_SHIFT)
#define WHEEL_SLOT_BITS  6
#define WHEEL_SLOTS      (1u << WHEEL_SLOT_BITS)
#define WHEEL_LEVELS     9   /* 9 levels of 6 bits hold every 64-bit time in microseconds */
#define WHEEL_MOVES      256 /* timers moved down a level in one call: some 20 us */

/* Lies in the object it wakes; all zero is a disarmed timer. */
struct wheel_timer {
	struct wheel_timer *next;
	struct wheel_timer **link; /* what points at this timer; NULL while disarmed */
	uint64_t deadline_us;
	uint16_t slot;
	uint16_t kind; /* the user's: which of an object's timers this is */
};

_Static_assert(sizeof(struct wheel_timer) == 32, "two timers a cache line");

struct wheel {
	uint64_t tick;                   /* all timers at or before it are in `expired` */
	struct wheel_timer *expired;     /* due, not yet popped */
	uint64_t occupied[WHEEL_LEVELS]; /* one bit a slot */
	uint32_t armed;                  /* timers in the wheel */
	uint8_t opening;                 /* the slot that is being moved: its level + 1; 0: none */
	struct wheel_timer *slots[WHEEL_LEVELS * WHEEL_SLOTS];
};

/* The object that a timer lies in. */
#define WHEEL_OWNER(timer, type, member)                                                           \
	((type *)((char *)(timer) - __builtin_offsetof(type, member)))

/* An empty wheel that stands at `now_us`. There is nothing to give back. */
void wheel_init(struct wheel *w, uint64_t now_us);
/* Arms (or moves) a timer; a deadline in the past is due at once, so never re-arm to "now". */
void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t deadline_us);
/* Disarms; a disarmed timer may be passed. */
void wheel_disarm(struct wheel *w, struct wheel_timer *t);

static inline bool wheel_armed(const struct wheel_timer *t)
{
	return t->link != 0;
}

/*
 * A timer whose deadline has come at `now_us`, disarmed, or NULL: none is due, or many are to be
 * moved first, and then wheel_next_us() is 0. Time never goes back.
 */
struct wheel_timer *wheel_pop_expired(struct wheel *w, uint64_t now_us);
/*
 * No timer is due before this time, which may be a bound below the true one: 0 if one may be due
 * already, UINT64_MAX if there is none.
 */
uint64_t wheel_next_us(const struct wheel *w);
/* More timers were due, or to be moved, than were popped so far. */
static inline bool wheel_is_behind(const struct wheel *w)
{
	return w->expired || w->opening;
}
