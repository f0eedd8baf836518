#pragma once

#include "auth/arc/arc_seal.h"
#include "gateway/worker.h"

/*
 * One mail between MAIL FROM and its reply: content in chunks, evaluation, envelope, commit. It
 * outlives its session once it was handed to the spooler.
 */

struct session;

enum mail_state {
	MAIL_OPEN,       /* envelope and content are arriving */
	MAIL_EVALUATING, /* content is whole; the verdict is awaited */
	MAIL_COMMITTING, /* at the spooler */
	MAIL_ABORTING,   /* given up, and the spooler has yet to say that it is done with it */
};

struct mail {
	struct worker *worker;
	struct session *session; /* NULL: gone */
	enum mail_state state;
	struct auth_mail *auth;     /* its verification; by an auth lcore: from the verdict on */
	struct verifier_slot *slot; /* there; NULL: forgotten, or inline */
	uint64_t queue_id;
	char id[QUEUE_ID_TEXT_SIZE];
	uint64_t begun_us, ended_us, decided_us;
	uint64_t reserved; /* octets of spool */
	struct chunk *first, *last;
	unsigned n_chunks;
	uint64_t octets;
	struct arena arena;
	struct spool_envelope envelope;
	struct chunk_range *ranges;
	unsigned n_ranges;
	struct policy_decision decision;
	struct arc_seal *seal;              /* to be signed on the way to the spooler; NULL: not */
	enum arc_seal_refusal seal_refusal; /* why not */
	char *seal_room;                    /* for its fields and those to prepend */
	bool gave_up;                       /* look-ups are no longer waited for */
	/* What goes to the spool while it arrives (mail_stream.h). */
	struct mail *stream_next, **stream_link; /* the worker's list; NULL: not in it */
	uint64_t octets_ahead;                   /* of content, sent ahead */
	uint64_t octets_out;                     /* of those, not yet taken */
	int stream_error;                        /* they could not be */
	uint64_t held_us; /* its peer is not read from, since then; 0: it is */
};

/* At MAIL FROM; NULL when mails, memory or evaluations are at their bound. */
struct mail *mail_begin(struct session *session);
/* Before 354: memory and spool for it. */
bool mail_reserve(struct mail *mail);
/* Content octets; the reply to refuse the mail with, or NULL. */
const struct smtp_reply *mail_content(struct mail *mail, struct bytes content);
/* All of it is here: mail_verdict() follows. The reply to refuse the mail with, or NULL. */
const struct smtp_reply *mail_content_end(struct mail *mail);
/* Give up waiting for look-ups. */
void mail_give_up(struct mail *mail);
/*
 * The session is gone or the transaction was reset: free it, unless the spooler has it. `reason` is
 * for its trace.
 */
void mail_drop(struct mail *mail, const char *reason);

/* Whether its peer is to wait until what came has been taken. */
bool mail_is_full(const struct mail *mail);

/* There will be no verdict, for this reason, which feeding it will tell too. */
void mail_refused(struct mail *mail, enum auth_feed why);
/* The verdict is in: decide, and reply or hand to the spooler. */
void mail_verdict(struct mail *mail);
/* To the spooler, which answers every request. */
void mail_post(struct mail *mail, const struct spool_request *request);
/* The spooler's word on a request. */
void mail_answered(const struct spool_reply *reply);
