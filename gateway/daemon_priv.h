#pragma once

#include "gateway/settings.h"
#include "gateway/threads.h"

/* All that the daemon is made of. */
struct daemon {
	const struct config *config; /* it was made from */
	struct recipients *recipients;
	struct settings *settings; /* of reloads, the newest first; NULL: none yet */
	bool env;
	struct port *ports[CONFIG_MAX_LISTEN];
	struct lcore_mesh *meshes[CONFIG_MAX_LISTEN]; /* where several lcores share a device */
	struct epoch epoch;
	bool epoch_ready;
	struct counters_registry counters;
	struct worker *workers[THREADS_MAX_WORKERS];
	pthread_t worker_threads[THREADS_MAX_WORKERS];
	unsigned n_workers, n_running;
	struct resolver_thread resolver;
	struct spooler_thread spooler;
	struct filler_thread filler;
	struct delivery_thread delivery;
	struct logger_thread logger;
	struct log_ring events; /* of the main thread */
	int control;            /* listening; -1: none */
	unsigned threads;       /* of the others, started in the order of others[] */
};

void daemon_set_log_level(struct daemon *d, int level);
