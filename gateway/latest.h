#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/*
 * The latest of something that one thread uses and another replaces as a whole: rules, a capture.
 * The giver makes a new one and hands it over; the taker goes over to it between two poll rounds,
 * when it holds no pointer into the old one. No lock, and one load a round for the taker. What was
 * given earlier may be freed once latest_is_taken().
 */
struct latest {
	_Atomic(void *) given;
	_Atomic(void *) taken;
};

/* Giver. Ring the taker's doorbell after it. */
static inline void latest_give(struct latest *latest, void *thing)
{
	atomic_store_explicit(&latest->given, thing, memory_order_release);
}

/* Giver: the taker uses what was given last, and nothing that was given before. */
static inline bool latest_is_taken(const struct latest *latest)
{
	return atomic_load_explicit(&latest->taken, memory_order_acquire) ==
	       atomic_load_explicit(&latest->given, memory_order_relaxed);
}

/* Taker. */
static inline bool latest_is_new(const struct latest *latest)
{
	return atomic_load_explicit(&latest->given, memory_order_relaxed) !=
	       atomic_load_explicit(&latest->taken, memory_order_relaxed);
}

/* Taker: from now on it uses what this returns, and looks at the one before no more. */
static inline void *latest_take(struct latest *latest)
{
	void *thing = atomic_load_explicit(&latest->given, memory_order_acquire);

	atomic_store_explicit(&latest->taken, thing, memory_order_release);
	return thing;
}
