#include "dataplane/port/port_priv.h"

#include <semaphore.h>

#include <rte_alarm.h>
#include <rte_cycles.h>

/* An alarm fails only for lack of memory, which may pass. */
#define TRIES        100
#define TRY_LATER_MS 10

static bool used;

struct errand {
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static void on_interrupt_thread(void *arg)
{
	struct errand *errand = arg;

	errand->fn(errand->arg);
	sem_post(&errand->done);
}

/* An alarm is the way onto that thread. */
static bool run(struct errand *errand)
{
	int rc = -1;

	for (unsigned n = 0;
		n < TRIES && (rc = rte_eal_alarm_set(1, on_interrupt_thread, errand)) < 0; n++)
		rte_delay_us_sleep(TRY_LATER_MS * 1000);
	if (rc < 0)
		return false;
	while (sem_wait(&errand->done) != 0)
		;
	return true;
}

bool port_interrupt_run(void (*fn)(void *arg), void *arg)
{
	struct errand errand = {fn, arg};
	bool ran;

	used = true;
	sem_init(&errand.done, 0, 0);
	ran = run(&errand);
	sem_destroy(&errand.done);
	return ran;
}

bool port_interrupt_used(void)
{
	return used;
}
