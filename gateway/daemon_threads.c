#include "gateway/daemon_priv.h"

#include <sched.h>
#include <stdio.h>

/* Starting the threads, and ending them in the reverse order. */

struct other {
	const char *name;
	void *(*main)(void *arg);
	size_t at; /* of its struct in struct daemon */
	size_t thread, stop, bell;
	/* On a CPU that it shares with an lcore it runs while that one pauses, and interrupts it
	 * for nothing. */
	bool batch;
};

#define OTHER(name, member, type, batch)                                                           \
	{                                                                                          \
		name, member##_main, offsetof(struct daemon, member),                              \
			offsetof(struct type, thread), offsetof(struct type, stop),                \
			offsetof(struct type, bell), batch                                         \
	}

/* In the order they start; they end in the reverse: delivery before the spooler that notes its
 * results. */
static const struct other others[] = {
	{"logger", logger_main, offsetof(struct daemon, logger),
		offsetof(struct logger_thread, thread), offsetof(struct logger_thread, stop), 0,
		true},
	OTHER("filler", filler, filler_thread, true),
	OTHER("spooler", spooler, spooler_thread, false),
	OTHER("sealer", sealer, sealer_thread, false),
	{"relay", relay_main, offsetof(struct daemon, relay), offsetof(struct relay_thread, thread),
		offsetof(struct relay_thread, stop), 0, true},
	OTHER("delivery", delivery, delivery_thread, true),
	OTHER("resolver", resolver, resolver_thread, false),
};
#define N_OTHERS (sizeof(others) / sizeof(others[0]))

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	port_env_register_thread(worker->index);
	worker_run(worker);
	return NULL;
}

static int start_others(struct daemon *d)
{
	for (; d->threads < N_OTHERS; d->threads++) {
		const struct other *o = &others[d->threads];
		char *at = (char *)d + o->at;
		pthread_t *thread = (pthread_t *)(at + o->thread);
		int error = pthread_create(thread, NULL, o->main, at);

		if (error)
			return -error;
		pthread_setname_np(*thread, o->name);
		if (o->batch)
			pthread_setschedparam(*thread, SCHED_BATCH, &(struct sched_param){0});
	}
	return 0;
}

static int start_auths(struct daemon *d)
{
	for (; d->n_auths_running < d->n_auths; d->n_auths_running++) {
		struct auth_lcore *lcore = d->auths[d->n_auths_running];
		char name[16];
		int error = pthread_create(&lcore->thread, NULL, auth_lcore_main, lcore);

		if (error)
			return -error;
		snprintf(name, sizeof(name), "auth%u", lcore->index);
		pthread_setname_np(lcore->thread, name);
	}
	return 0;
}

int daemon_start_threads(struct daemon *d)
{
	int error = start_others(d);

	if (error == 0)
		error = start_auths(d);

	for (; error == 0 && d->n_running < d->n_workers; d->n_running++) {
		char name[16];

		error = -pthread_create(&d->worker_threads[d->n_running], NULL, worker_main,
			d->workers[d->n_running]);
		if (error)
			break;
		snprintf(name, sizeof(name), "io%u", d->n_running);
		pthread_setname_np(d->worker_threads[d->n_running], name);
	}
	return error;
}

static void stop_auths(struct daemon *d)
{
	for (unsigned i = 0; i < d->n_auths_running; i++) {
		atomic_store_explicit(&d->auths[i]->stop, true, memory_order_release);
		doorbell_ring(&d->auths[i]->bell);
		pthread_join(d->auths[i]->thread, NULL);
	}
}

void daemon_stop_workers(struct daemon *d)
{
	for (unsigned i = 0; i < d->n_running; i++) {
		atomic_store_explicit(&d->workers[i]->stop, true, memory_order_release);
		doorbell_ring(&d->workers[i]->bell);
	}
	for (unsigned i = 0; i < d->n_running; i++)
		pthread_join(d->worker_threads[i], NULL);
	stop_auths(d);
}

void daemon_stop_others(struct daemon *d)
{
	while (d->threads > 0) {
		const struct other *o = &others[--d->threads];
		char *at = (char *)d + o->at;

		atomic_store_explicit((_Atomic bool *)(at + o->stop), true, memory_order_release);
		if (o->bell)
			doorbell_ring((struct doorbell *)(at + o->bell));
		if (o->main == relay_main && d->relay.relay)
			relay_end(d->relay.relay);
		pthread_join(*(pthread_t *)(at + o->thread), NULL);
	}
}
