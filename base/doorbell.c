#include "base/doorbell.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int doorbell_init(struct doorbell *d)
{
	memset(d, 0, sizeof(*d));
	d->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return d->fd < 0 ? -errno : 0;
}

void doorbell_fini(struct doorbell *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

void doorbell_prepare(struct doorbell *d)
{
	d->sleeps++;
	atomic_store_explicit(&d->asleep, true, memory_order_seq_cst);
	/* The consumer's last look at its rings may not move above the store. */
	atomic_thread_fence(memory_order_seq_cst);
}

void doorbell_cancel(struct doorbell *d)
{
	/* If a producer was quicker, its ring stays in the eventfd and the next sleep ends at once.
	 */
	atomic_store_explicit(&d->asleep, false, memory_order_relaxed);
}

void doorbell_clear(struct doorbell *d)
{
	uint64_t rings;

	/*
	 * Still set: a timer or a device ended the sleep and nobody rang in it. What an earlier
	 * doorbell_cancel() may have left is read then too, by the sleep it cuts short.
	 */
	atomic_exchange_explicit(&d->asleep, false, memory_order_acq_rel);
	while (read(d->fd, &rings, sizeof(rings)) < 0 && errno == EINTR)
		;
}

bool doorbell_ring(struct doorbell *d)
{
	const uint64_t one = 1;

	/* The work put into the ring before may not move below the load. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&d->asleep, memory_order_relaxed))
		return false;
	if (!atomic_exchange_explicit(&d->asleep, false, memory_order_acq_rel))
		return false;
	atomic_fetch_add_explicit(&d->rung, 1, memory_order_relaxed);
	while (write(d->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return true;
}

void doorbell_wait(struct doorbell *d, const int *fds, unsigned n_fds, uint64_t timeout_us)
{
	const struct timespec timeout = {
		.tv_sec = (time_t)(timeout_us / 1000000),
		.tv_nsec = (long)(timeout_us % 1000000) * 1000,
	};
	struct pollfd waits[DOORBELL_MAX_FDS + 1];
	unsigned n = n_fds < DOORBELL_MAX_FDS ? n_fds : DOORBELL_MAX_FDS;

	waits[0] = (struct pollfd){.fd = d->fd, .events = POLLIN};
	for (unsigned i = 0; i < n; i++)
		waits[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	ppoll(waits, n + 1, &timeout, NULL);
	/* Most naps end by the timer or a device: nothing to read then. */
	if (waits[0].revents)
		doorbell_clear(d);
	else
		doorbell_cancel(d);
}
