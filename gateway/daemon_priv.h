#pragma once

#include "gateway/auth_lcore.h"
#include "gateway/daemon_access.h"
#include "gateway/daemon_capture.h"
#include "gateway/lmtp_tls.h"
#include "gateway/sealer.h"
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
	struct auth_lcore *auths[VERIFIER_MAX_LCORES];
	unsigned n_auths, n_auths_running;
	struct resolver_thread resolver;
	struct spooler_thread spooler;
	struct sealer_thread sealer;
	struct filler_thread filler;
	struct delivery_thread delivery;
	struct lmtp_tls *lmtp_tls;
	struct relay_thread relay;
	struct logger_thread logger;
	struct log_ring events; /* of the main thread */
	struct daemon_access access;
	struct daemon_capture capture;
	int control;      /* listening; -1: none */
	unsigned threads; /* of the others, started in the order of others[] */
};

void daemon_set_log_level(struct daemon *d, int level);

/* The steps of its making, each 0 or -errno with the reason in `why`. In daemon_devices.c: */
int daemon_open_ports(struct daemon *d, struct text *why);
int daemon_make_meshes(struct daemon *d);
/* In daemon_services.c: */
int daemon_make_logs(struct daemon *d);
int daemon_make_bells(struct daemon *d);
int daemon_make_recipients(struct daemon *d, struct text *why);
int daemon_make_resolver(struct daemon *d, struct text *why);
int daemon_open_spool(struct daemon *d, struct text *why);
int daemon_make_delivery(struct daemon *d, struct text *why);
int daemon_join_spooler_and_delivery(struct daemon *d);
/* At the end: those that came back from the log after delivery had ended. */
void daemon_drop_bounces(struct daemon *d);
/* In daemon_auth.c, after the workers: */
int daemon_make_auth(struct daemon *d, struct text *why);
/* In daemon_workers.c: */
int daemon_make_workers(struct daemon *d, struct text *why);
void daemon_join_workers_and_spool(struct daemon *d);
/* Whether every lcore uses the latest of what lies at that offset of a struct worker (latest.h). */
bool daemon_is_taken(const struct daemon *d, size_t latest);
/* The same, after waiting for it, a while. */
bool daemon_wait_until_taken(const struct daemon *d, size_t latest);
/* In daemon_threads.c: */
int daemon_start_threads(struct daemon *d);
/* io lcores, then auth lcores: those wait for these. */
void daemon_stop_workers(struct daemon *d);
void daemon_stop_others(struct daemon *d);
