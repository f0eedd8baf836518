/*
 * One attempt to deliver one mail: its bytes at hand, and the transactions it takes. Recipients
 * whose copy is marked for Junk get one of their own, since what stands in front differs.
 */
#pragma once

#include "spool/lmtp/lmtp_client.h"
#include "spool/queue/index.h"

/* Fields in front, and the content between cuts. */
#define JOB_PARTS_MAX (2u + SPOOL_MAX_CUTS + 1u)

enum job_group { JOB_PLAIN, JOB_QUARANTINE, JOB_GROUPS };

/* What a recipient's sender may want to be told of. */
struct job_result {
	uint32_t recipient;
	enum lmtp_outcome outcome;
	char dsn[LMTP_DSN_MAX];
	char text[LMTP_TEXT_MAX];
};

struct job {
	struct lmtp_mail mail; /* the transaction at hand; first, so that it leads to the job */
	struct job *next;
	struct job *all_next, **all_link; /* in the list of all */
	struct index_entry *entry;
	struct spool_view view;
	enum job_group group;
	uint32_t *numbers; /* of the recipients in the transaction */
	struct bytes parts[JOB_PARTS_MAX];
	uint64_t content_at; /* of a partial view: what is to be read next */
	uint32_t temporary;  /* recipients to try again */
	struct job_result *results;
	uint32_t n_results;
};

/* Joins the list of `all`. 0 or -errno: the bytes cannot be had. */
int job_open(struct spool_log *log, struct index_entry *entry, struct job **all, struct job **out);
void job_close(struct job *job);
/* Prepares the next transaction; false when all groups were dealt with. */
bool job_next(struct job *job);
/* Prepares the same transaction once more. */
void job_again(struct job *job);
/* The view's content is at its beginning again (or empty, if that cannot be read). */
void job_rewind(struct job *job);

/* Keeps it until the attempt is over. 0 or -ENOMEM. */
int job_remember(struct job *job, uint32_t recipient, enum lmtp_outcome outcome, const char *dsn,
	const char *text);

static inline struct job *job_of(struct lmtp_mail *mail)
{
	return (struct job *)mail;
}
