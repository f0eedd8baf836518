/*
 * Recovery: from what lies in the directory to the index of undelivered mail. Changes nothing on
 * disk, so that a spool can be read while its daemon runs.
 */
#pragma once

#include "spool/log/scan.h"
#include "spool/log/spool_log_priv.h"

/* Files that the log may use again, or that are of no use. */
struct recover_files {
	uint64_t *segments; /* ascending */
	uint64_t n_segments, cap_segments;
	uint64_t *spares;
	uint64_t n_spares, cap_spares;
	uint64_t *rotten; /* were written and synced, but their header does not check */
	uint64_t n_rotten, cap_rotten;
	bool bad_index; /* there is one, but it does not check or cannot be read */
	int error;      /* while listing */
};

/*
 * Fills the log's tables, and `files`, which recover_files_free() frees; segments that are not in
 * the log's table then were never written. `why` gets what was found bad, or the reason of an
 * error. 0 or -errno.
 */
int recover(struct spool_log *log, struct recover_files *files, struct text *why);
void recover_files_free(struct recover_files *files);

/* One record's part in recovery; for recover() and its fuzzer. */
void recover_apply(struct spool_log *log, struct segment *segment, const struct record *r,
	uint32_t offset, uint32_t size, struct text *why);
