/* Delivery's inside: one structure, on which attempts and operators work. */
#pragma once

#include "base/counters.h"
#include "spool/lmtp/backends.h"
#include "spool/queue/index.h"
#include "spool/queue/job.h"
#include "spool/queue/notes.h"
#include "spool/queue/own_mail.h"
#include "spool/queue/replies.h"
#include "spool/queue/retry.h"

#define SECOND_US      UINT64_C(1000000)
#define POSTMASTER_MAX 320u

#define DELIVERY_COUNTERS(X)                                                                       \
	X(DELIVERY_SENT, "delivery_sent", "recipients delivered")                                  \
	X(DELIVERY_DEFER, "delivery_deferred", "temporary failures of recipients")                 \
	X(DELIVERY_FAIL, "delivery_failed", "permanent failures of recipients")                    \
	X(DELIVERY_HOLD, "delivery_held", "mails put on hold")                                     \
	X(DELIVERY_EXPIRE, "delivery_expired", "mails not delivered in time")                      \
	X(DELIVERY_BOUNCE, "delivery_bounced", "recipients whose failure the sender was told of")  \
	X(DELIVERY_BOUNCES, "delivery_bounces", "reports made of failure or success")              \
	X(DELIVERY_WARNINGS, "delivery_warnings", "warnings of delay made")                        \
	X(DELIVERY_DIGESTS, "delivery_digests", "words to postmaster of dead and held mail")       \
	X(DELIVERY_DIE, "delivery_dead", "mails neither delivered nor bounced: made dead")         \
	X(DELIVERY_DEAD_END, "delivery_dead_expired", "dead mails kept for their time, then gone") \
	X(DELIVERY_DEAD_NOW, "delivery_dead_now", "dead mails (gauge)")                            \
	X(DELIVERY_UNSURE, "delivery_unsure",                                                      \
		"recipients tried again though a final reply may have been lost")                  \
	X(DELIVERY_UNREADABLE, "delivery_unreadable", "mails whose bytes could not be read back")  \
	X(DELIVERY_CROWDED, "delivery_crowded", "mails beyond the index's bound, until restart")   \
	X(DELIVERY_QUEUE, "delivery_queue", "mails in the queue (gauge)")

COUNTERS_DECLARE(delivery, DELIVERY_COUNTERS)

struct delivery {
	struct spool_log *log;
	struct log_ring *events;
	struct backends *backends;
	struct retry_policy retry;
	uint64_t expire_us;
	uint64_t dead_keep_us;
	uint64_t warn_us;               /* 0: never */
	uint64_t digest_s, digest_at_s; /* how often, and when next, in Unix time; 0: never */
	struct relay *relay;            /* NULL: none, and no bounces */
	bool bounce_anyone;
	struct own_mails own;
	uint64_t random;
	uint64_t now_us;
	struct wheel wheel;
	struct index index;
	struct replies replies;
	struct notes notes;
	struct job *jobs;   /* all */
	struct job *resume; /* those with a transaction to begin */
	char hostname[256], postmaster[POSTMASTER_MAX];
	bool finishing; /* no more transactions are begun */
	struct delivery_counters counters;
};

/* A log line. */
void delivery_say(struct delivery *d, const struct index_entry *e, const char *what);
void delivery_note_done(struct delivery *d, const struct index_entry *e, uint32_t recipient,
	enum spool_outcome outcome);
/* An attempt is over that leaves so many recipients to be tried again. */
void delivery_decide(struct delivery *d, struct index_entry *e, uint32_t temporary);

enum delivery_report {
	DELIVERY_REPORT_RESULTS, /* what failed, and success where the sender asked for it */
	DELIVERY_REPORT_EXPIRY,  /* and what failed for now has failed too */
	DELIVERY_REPORT_DELAY,   /* what failed for now is tried again */
};

/*
 * Makes the report on the attempt's results, where there may be one and the sender wants it. Then,
 * but for DELAY, the entry stays ACTIVE until the report is on disk. 1: made; 0: there is none to
 * make; -ENOMEM.
 */
int delivery_report(struct delivery *d, struct job *job, enum delivery_report what);
/* To the log with it. */
void delivery_ask_for(struct delivery *d, struct own_mail *m);
/* Those the log could not take are asked for again, when it is time. */
void delivery_bounce_again(struct delivery *d);

/* --- delivery_state.c: changes of state; the entry is not ACTIVE --- */

/* In the clock of timers. */
uint64_t delivery_expiry_us(const struct index_entry *e);
void delivery_remember_reply(struct delivery *d, struct index_entry *e, const char *text);
void delivery_to_deferred(struct delivery *d, struct index_entry *e);
/* Its time among the dead ends `keep_us` from now. */
void delivery_keep_dead(struct delivery *d, struct index_entry *e, uint64_t keep_us);
/* Undeliverable for good. */
void delivery_give_up(struct delivery *d, struct index_entry *e, bool expired);
void delivery_drop(struct delivery *d, struct index_entry *e, const char *what);
void delivery_to_waiting(struct delivery *d, struct index_entry *e);
/* Arms the timer of one that waits for an attempt: for its warning or its expiry. */
void delivery_await_attempt(struct delivery *d, struct index_entry *e);
/* The log is told where the mail lies. */
void delivery_note_shelf(struct delivery *d, const struct index_entry *e, enum spool_shelf shelf);
void delivery_to_held(struct delivery *d, struct index_entry *e, const char *why);
/* Back from hold or the dead, as new. */
void delivery_revive(struct delivery *d, struct index_entry *e);
/* Ends those recipients that are left so, and the mail. */
void delivery_end_rest(
	struct delivery *d, struct index_entry *e, enum spool_outcome outcome, const char *what);

/* --- delivery_attempt.c --- */

/* Gives backends and relay what they may have. */
void delivery_send(struct delivery *d);
/* The bytes cannot be had. */
void delivery_unreadable(struct delivery *d, struct index_entry *e, int error);
/* Events of the backends and of the relay; `arg` is the delivery. */
void delivery_on_done(void *arg, struct lmtp_mail *mail, const char *backend, bool untried);
void delivery_on_relay_done(void *arg, struct lmtp_mail *mail, const char *relay);
void delivery_on_health(void *arg, const char *backend, const char *reason, uint64_t wait_us);

/* --- delivery_timers.c --- */

/* Warns the sender that the mail is late, once, if it is. The attempt's results say why. */
void delivery_warn(struct delivery *d, struct job *job);
/* When the warning is due, in the clock of timers; UINT64_MAX: it is not. */
uint64_t delivery_warning_us(const struct delivery *d, const struct index_entry *e);
/* All that is left failed for now, in the words of the last reply. 0 or -ENOMEM. */
int delivery_remember_rest(struct delivery *d, struct job *job);
void delivery_run_timers(struct delivery *d);

/* --- delivery_digest.c --- */

/* When the next word to postmaster is due, in Unix time: at whole multiples of how often. */
void delivery_digest_plan(struct delivery *d, uint64_t unix_s);
/* Tells postmaster of dead and held mail, if it is time. */
void delivery_digest(struct delivery *d, uint64_t unix_s);
