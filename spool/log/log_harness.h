/* For tests: a log on a simulated disk, and the history that works with it. */
#pragma once

#include "spool/log/history.h"
#include "spool/log/log_sim.h"

extern struct history log_harness_history; /* large */
extern struct chunk_pool log_harness_pool; /* the test's to make */
extern const struct spool_log_config log_harness_small;

/* Opens it; what it complains of holds `complaint`, or is nothing. */
struct spool_log *log_harness_open(const struct spool_log_config *config,
	const struct spool_log_io *io, const char *complaint);
/* A log on a simulated disk, the history's. */
struct log_sim *log_harness_begin(const struct spool_log_config *config, uint64_t limit);
void log_harness_end(struct log_sim *sim);
/* An acknowledgement that is good, whose item nobody wants. */
void log_harness_release_ack(void *arg, const struct spool_ack *ack);
/* As by kill -9 or a power cut: what was not synced is gone. The history's log is opened again. */
void log_harness_crash(struct log_sim *sim);
/* The name of the oldest segment's file; "" where there is none. */
void log_harness_first_segment(struct log_sim *sim, char name[64]);
