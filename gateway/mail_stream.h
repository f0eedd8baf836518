#pragma once

#include "gateway/worker.h"

/*
 * Large mails go to the spool while they arrive, so that memory for each is bounded; where memory
 * for content is short, smaller ones do so too, and at last the slowest is given up (DESIGN §3).
 *
 * Content that is sent ahead lies in the log without a commit record: it counts for nothing until
 * there is one, and is given up by an abort record.
 */

struct mail;

/* A mail that is longer goes ahead. */
#define MAIL_STREAM_OCTETS (1u << 20)
/* So many octets, in whole chunks, at once. */
#define MAIL_STREAM_BATCH (256u << 10)
/* Octets of one mail in memory beyond which its peer is not read from; the second while memory is
 * short. */
#define MAIL_STREAM_WINDOW       (2u << 20)
#define MAIL_STREAM_WINDOW_SHORT (128u << 10)
/* Between two looks at all mails while memory is short. */
#define MAIL_STREAM_RELIEF_US 10000

/* Content came: looks at the mail again by mail_stream_send(). */
void mail_stream_note(struct mail *mail);
/* The mail is no longer looked at. */
void mail_stream_forget(struct mail *mail);
/* Once a round, when the evaluation has read what came in it. */
void mail_stream_send(struct worker *worker);
/* Whether enough of it is in memory, or of all mails, that no more should be read now. */
bool mail_stream_is_full(const struct mail *mail);
/* The spooler has taken what was sent ahead, or could not (-errno). */
void mail_stream_taken(struct mail *mail, int error);
