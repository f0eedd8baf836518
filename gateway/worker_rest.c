/* When an io lcore sleeps, how long, and what wakes it (DESIGN §3, Waiting). */
#include "gateway/worker.h"

/* Poll rounds with nothing to do before the lcore sleeps. */
#define IDLE_ROUNDS 32
/*
 * Where a device has no descriptor to wait for there are only naps. One from which there was
 * nothing to wake up for doubles the next, since each costs a few microseconds of CPU.
 */
#define NAP_US       50
#define NAP_MAX_US   400
#define SLEEP_MAX_US 100000

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_deadline_us(struct worker *worker)
{
	uint64_t next =
		earlier(wheel_next_us(&worker->wheel), worker->verifier->deadline_us(worker));

	for (unsigned i = 0; i < worker->n_lcores; i++)
		next = earlier(next, lcore_next_deadline_us(worker->lcores[i]));
	return next;
}

static bool has_completions(const struct worker *worker)
{
	for (unsigned i = 0; i < worker->n_lcores; i++)
		if (lcore_has_work(worker->lcores[i]))
			return true;
	return latest_is_new(&worker->new_access) || latest_is_new(&worker->new_capture) ||
	       worker->verifier->has_answers(worker) || !handoff_is_empty(worker->from_spooler);
}

static uint64_t nap_us(struct worker *worker)
{
	uint64_t us = NAP_US << worker->naps;

	if (us >= NAP_MAX_US)
		return NAP_MAX_US;
	worker->naps++;
	return us;
}

/* Say so, look once more, then sleep until a device, the doorbell or a timer. */
static void sleep_until_work(struct worker *worker)
{
	uint64_t next = next_deadline_us(worker);
	uint64_t us;

	if (next <= worker->now_us)
		return;
	us = earlier(next - worker->now_us, worker->fdless_device ? nap_us(worker) : SLEEP_MAX_US);
	doorbell_prepare(&worker->bell);
	if (has_completions(worker) ||
		atomic_load_explicit(&worker->stop, memory_order_acquire) != worker->draining) {
		doorbell_cancel(&worker->bell);
		return;
	}
	worker_count(worker, GATEWAY_SLEEPS);
	doorbell_wait(&worker->bell, worker->fds, worker->n_fds, us);
	worker->kernel_rounds = 0;
	worker->slept = true;
}

/*
 * Spin a little, since more often comes at once; but not when other threads have work of ours to
 * do, and want the CPU for it.
 */
static unsigned patience_rounds(const struct worker *worker)
{
	return worker->mails_out || worker->verifier->awaits(worker) ? 0 : IDLE_ROUNDS;
}

void worker_rest(struct worker *worker, bool had_work)
{
	if (had_work) {
		worker->idle_rounds = worker->naps = 0;
		return;
	}
	if (worker->config->lcores.poll == CONFIG_POLL_ADAPTIVE &&
		++worker->idle_rounds > patience_rounds(worker))
		sleep_until_work(worker);
}
