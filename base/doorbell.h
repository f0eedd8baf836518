/*
 * How a consumer sleeps and its producers wake it, over an eventfd.
 *
 * Consumer:                               Producer:
 *	doorbell_prepare(d);                    put work where the consumer looks (its ring);
 *	if (work is there)                      doorbell_ring(d);
 *		doorbell_cancel(d);
 *	else {
 *		poll({doorbell_fd(d), ...}, until the next timer);
 *		doorbell_clear(d);
 *	}
 *
 * Either the consumer's last look sees the work, or the producer sees it asleep: a seq_cst fence
 * stands between store and load on both sides. A producer makes a system call only for a consumer
 * that sleeps, and at most one producer does so for each sleep.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct doorbell {
	_Alignas(64) _Atomic bool asleep;
	int fd;
	uint64_t sleeps;       /* the consumer's count of doorbell_prepare() */
	_Atomic uint64_t rung; /* eventfd writes, all producers */
};

_Static_assert(sizeof(struct doorbell) == 64, "a cache line to itself");

/* Returns 0 or -errno. */
int doorbell_init(struct doorbell *d);
void doorbell_fini(struct doorbell *d);

/* The descriptor to poll for reading. */
static inline int doorbell_fd(const struct doorbell *d)
{
	return d->fd;
}

/* Consumer: from now on producers ring. Look for work once more after this, then sleep. */
void doorbell_prepare(struct doorbell *d);
/*
 * Consumer: sleep after doorbell_prepare() until it is rung, one of `fds` is readable, or
 * `timeout_us` has passed; then awake, as after doorbell_clear(). At most DOORBELL_MAX_FDS are
 * looked at.
 */
#define DOORBELL_MAX_FDS 64
void doorbell_wait(struct doorbell *d, const int *fds, unsigned n_fds, uint64_t timeout_us);
/* Consumer: awake after all, work was found; no system call. The next sleep may end at once. */
void doorbell_cancel(struct doorbell *d);
/* Consumer: awake after poll; takes the ring out of the eventfd if there was one. */
void doorbell_clear(struct doorbell *d);
/* Producer, after publishing its work. Returns true if it made the system call. */
bool doorbell_ring(struct doorbell *d);
