/* Mails into the log: one record for a small one, extents and a commit record for a large one. */
#pragma once

#include "spool/log/spool_log_priv.h"

/* Content yet to be appended: ranges of chunks, or plain octets (n_ranges 0). */
struct mail_content {
	const struct chunk_range *ranges;
	unsigned n_ranges;
	struct bytes octets; /* of the range at hand, or all */
	uint64_t left;
};

struct mail_content mail_content_of(const struct chunk_range *ranges, unsigned n_ranges);
struct mail_content mail_content_bytes(struct bytes octets);

/* What was appended. */
struct mail_place {
	struct log_place commit;
	struct item_extents *extents;
	struct bytes payload; /* of the commit record; until the next append */
};

/*
 * Appends what is left of the content, and the commit record. The extents that were sent ahead are
 * used up, or forgotten if it fails. 0 or -errno.
 */
int mail_append(struct spool_log *log, const struct spool_envelope *envelope,
	struct mail_content content, struct mail_place *place);
/* Appends content ahead of the commit. After an error the mail cannot be committed any more. */
int mail_extend(struct spool_log *log, uint64_t queue_id, struct mail_content content);
void mail_abort(struct spool_log *log, uint64_t queue_id);
/* Mails still arriving that have bytes in the segment have failed. */
void mail_segment_failed(struct spool_log *log, const struct segment *segment);
/* Forgets all mails still arriving; at the end. */
void mail_fini(struct spool_log *log);
