/* Inside of recovery: files, index and records, one after the other. */
#pragma once

#include "spool/log/recover.h"

/* --- recover_segments.c --- */

int recover_list_files(struct spool_log *log, struct recover_files *f);
/* The segments that were written, and where they end as far as later ones say. */
int recover_find_segments(struct spool_log *log, struct recover_files *f, struct text *why);
bool recover_listed(const uint64_t *list, uint64_t n, uint64_t number);
/* That segment was written, and is not recognised any more. */
void recover_rotten(
	struct spool_log *log, struct recover_files *f, uint64_t number, struct text *why);
/* Numbers are counted on from what files that are in no log hold of their earlier use. */
int recover_count_on(struct spool_log *log, const struct recover_files *f);

/* --- recover_index.c --- */

/* Where there is none that can be used, everything that is there is replayed. */
int recover_load_index(struct spool_log *log, struct recover_files *f, struct text *why);

/* --- recover.c --- */

void recover_saw_queue_id(struct spool_log *log, uint64_t queue_id);
void recover_saw_sequence(struct spool_log *log, uint64_t sequence, uint32_t batch);
/* The item of that mail, new or not; NULL: there is one of another shape, or no memory. */
struct spool_item *recover_item(struct spool_log *log, uint64_t queue_id, uint32_t n_recipients);
