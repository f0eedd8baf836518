#include "dataplane/port/port_priv.h"

#include <semaphore.h>

#include <rte_alarm.h>

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
static void run(struct errand *errand)
{
	if (rte_eal_alarm_set(1, on_interrupt_thread, errand) < 0) {
		errand->fn(errand->arg);
		return;
	}
	while (sem_wait(&errand->done) != 0)
		;
}

void port_interrupt_run(void (*fn)(void *arg), void *arg)
{
	struct errand errand = {fn, arg};

	used = true;
	sem_init(&errand.done, 0, 0);
	run(&errand);
	sem_destroy(&errand.done);
}

bool port_interrupt_used(void)
{
	return used;
}
