#pragma once

#include "gateway/trace_log.h"
#include "gateway/worker.h"
#include "spool/queue/delivery.h"

#include <pthread.h>

/*
 * The threads beside the io lcores (DESIGN §3): what each owns, and its main. They end when `stop`
 * is set and their bell is rung.
 */

#define THREADS_MAX_WORKERS 16
#define THREADS_MAX_ASKERS  (THREADS_MAX_WORKERS + VERIFIER_MAX_LCORES)
_Static_assert(THREADS_MAX_ASKERS <= EPOCH_MAX_READERS, "each reads the cache");
_Static_assert(THREADS_MAX_WORKERS <= TRACE_LOG_WORKERS, "each has its place there");

struct resolver_thread {
	struct resolver *resolver;
	struct dns_cache *cache;
	struct epoch *epoch;
	struct asker *askers[THREADS_MAX_ASKERS]; /* by the `lcore` of their tokens */
	unsigned n_askers;
	struct doorbell bell;
	_Atomic bool stop;
	pthread_t thread;
};

struct spooler_thread {
	struct spool_log *log;
	struct worker **workers;
	unsigned n_workers;
	struct handoff *to_delivery, *from_delivery;
	struct handoff *bounces_back; /* delivery's own mails, committed */
	struct spool_item *
		*waiting; /* committed mail that delivery's ring had no room for, oldest first */
	unsigned n_waiting, first_waiting, waiting_room;
	uint64_t done_sync_us; /* so long may notes wait for a mail to be synced with */
	uint64_t sync_by_us;   /* 0: none waits */
	struct doorbell bell;
	struct doorbell *filler;
	struct log_ring events;
	_Atomic bool stop;
	pthread_t thread;
};

struct filler_thread {
	struct spool_log *log;
	struct doorbell bell;
	_Atomic bool stop;
	pthread_t thread;
};

struct delivery_thread {
	struct delivery *delivery;
	struct handoff *to_spooler, *from_spooler, *bounces_back;
	struct doorbell bell;
	struct log_ring events;
	pthread_mutex_t lock; /* for the control socket's commands, between two rounds */
	_Atomic unsigned callers;
	_Atomic bool stop;
	pthread_t thread;
};

/* Only where there is a relay. */
struct relay_thread {
	struct relay *relay;
	_Atomic bool stop;
	pthread_t thread;
};

struct logger_thread {
	struct logger logger;
	log_sink_fn sink;
	struct log_out out;
	struct trace_log traces;
	_Atomic bool stop;
	pthread_t thread;
};

void *resolver_main(void *arg);
void *spooler_main(void *arg);
void *filler_main(void *arg);
void *delivery_main(void *arg);
void *relay_main(void *arg);
void *logger_main(void *arg);

/* `done` of the resolver: the answer goes to the thread that asked. */
void resolver_thread_done(
	void *arg, const struct resolver_token *token, const struct dns_answer *answer);
