/*
 * A file system in memory behind the log's I/O, for tests: it knows what was synced and what was
 * not, fails where it is told to, and after a crash keeps, drops, reorders or tears every write
 * that was not synced.
 */
#pragma once

#include "spool/log/log_io.h"

enum log_sim_fault {
	LOG_SIM_NONE,
	LOG_SIM_CRASH,  /* the power goes: this and every later call fails */
	LOG_SIM_EIO,    /* a write leaves something, a sync nobody knows what */
	LOG_SIM_ENOSPC, /* a write leaves nothing */
	LOG_SIM_SHORT,  /* a write takes only a part, whole blocks; others pass */
	LOG_SIM_TORN,   /* a write takes only a part, and not whole blocks; others pass */
};

/* What a crash does to what was not synced. */
enum log_sim_crash {
	LOG_SIM_DROP_ALL,
	LOG_SIM_KEEP_ALL,
	LOG_SIM_TEAR_LAST,    /* in order, the last one in part */
	LOG_SIM_TEAR_SECTORS, /* each sector for itself */
	LOG_SIM_CRASH_MODES,
};

struct log_sim;

struct log_sim *log_sim_new(uint64_t seed);
void log_sim_free(struct log_sim *sim);
/* Valid as long as the simulator. */
const struct spool_log_io *log_sim_io(struct log_sim *sim);

/* Changing calls so far (since the last crash). */
uint64_t log_sim_calls(const struct log_sim *sim);
/* The call with that number (from 0) meets the fault; one at a time. */
void log_sim_fault(struct log_sim *sim, enum log_sim_fault fault, uint64_t call);
/* Octets the files may take together. */
void log_sim_limit(struct log_sim *sim, uint64_t octets);
/* Changes one octet of a file on disk. */
void log_sim_rot(struct log_sim *sim, const char *name, uint64_t offset);
/* That file cannot be read (EIO), the others can; NULL: all can. */
void log_sim_unreadable(struct log_sim *sim, const char *name);
/* The names of the files, for the test to look at. */
void log_sim_names(struct log_sim *sim, void (*fn)(void *arg, const char *name), void *arg);
void log_sim_advance(struct log_sim *sim, uint64_t us);
/* Starts again from the disk. Descriptors are gone. */
void log_sim_reboot(struct log_sim *sim, enum log_sim_crash how);
