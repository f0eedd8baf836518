#pragma once

#include "spool/lmtp/backend_tls.h"
#include "spool/log/spool_log.h"
#include "spool/relay/relay.h"

struct log_ring;

/*
 * Delivery: the index of undelivered mail, its retry schedule, and LMTP to the backends. All calls
 * belong to the delivery thread. Never waits for another stage: what it has to tell the log gathers
 * until it is taken.
 */
struct delivery;

#define DELIVERY_MAX_BACKENDS 16

/* Memory that one undelivered mail takes at most, its bytes apart (DESIGN §3). */
#define DELIVERY_INDEX_OCTETS 256

struct delivery_backend {
	const char *address;    /* unix:/path or tcp:HOST:PORT (tcp:[V6]:PORT) */
	unsigned connections;   /* at once */
	struct backend_tls tls; /* open NULL: none */
	bool starttls;          /* it begins after STARTTLS, which must be offered */
};

struct delivery_config {
	struct delivery_backend backends[DELIVERY_MAX_BACKENDS];
	unsigned n_backends;
	const char *hostname;              /* for LHLO */
	uint32_t retry_min_s, retry_max_s; /* back-off doubles between the two, with jitter */
	uint32_t expire_s;                 /* after this a temporary failure counts as permanent */
	uint32_t connect_timeout_ms, reply_timeout_ms;
	uint32_t warn_s;   /* after this the sender is told that its mail is late; 0: never */
	uint32_t digest_s; /* postmaster is told of dead and held mail so often; 0: never */
	const char *postmaster;
	uint32_t dead_keep_s; /* a dead mail is kept for so long; 0: 30 days */
	struct relay_config
		relay;      /* url NULL: no bounces are made; its hostname is the one above */
	bool bounce_anyone; /* also senders that are not authentic */
	uint64_t seed;      /* for jitter */
};

/* `log` is read for bodies no longer in memory. 0 or -errno with the reason. */
int delivery_new(const struct delivery_config *config, struct spool_log *log,
	struct log_ring *events, struct delivery **out, struct text *why);
void delivery_free(struct delivery *delivery);

/* Take a committed mail (and its item). */
void delivery_add(struct delivery *delivery, struct spool_item *item, uint64_t now_us);

/* Wait for sockets, timers, `wake_fd` (a doorbell; -1: none) or `timeout_ms`, and deal with what
 * has come. */
void delivery_run_once(struct delivery *delivery, int wake_fd, int timeout_ms);

/* Begin no more transactions. Those under way end by delivery_run_once() as ever. */
void delivery_finish(struct delivery *delivery);
/* A transaction is under way, or a note not yet taken. */
bool delivery_busy(const struct delivery *delivery);

/*
 * A mail of delivery's own making, a bounce, for the log to commit. What it is about is done only
 * once it is on disk.
 */
struct delivery_mail {
	struct spool_envelope envelope;
	struct bytes content;
	/* Filled in by whoever committed it, before delivery_committed(). */
	int error;
	struct spool_item *item; /* where there is no error */
};
/* At most about so many are with the log at once. */
#define DELIVERY_MAILS_MAX 1024u

/* What the log must be told: a recipient's end, or that the mail goes to a shelf or leaves it. */
struct delivery_note {
	uint64_t queue_id;
	uint32_t recipient;
	enum { DELIVERY_NOTE_DONE, DELIVERY_NOTE_SHELF, DELIVERY_NOTE_MAIL } kind;
	enum spool_outcome outcome;
	enum spool_shelf shelf;
	uint32_t since_s; /* Unix time */
	struct delivery_mail *mail;
};
/* A mail that a note asked for is on disk, or could not be: then it is asked for again. */
void delivery_committed(struct delivery *delivery, struct delivery_mail *mail);
/* The next note; false when there is none. */
bool delivery_next_note(struct delivery *delivery, struct delivery_note *note);

/* For operators (`postern queue`). queue_id 0 means all. Returns how many mails it touched. */
unsigned delivery_hold(struct delivery *delivery, uint64_t queue_id);
unsigned delivery_unhold(struct delivery *delivery, uint64_t queue_id); /* or revive the dead */
unsigned delivery_flush(struct delivery *delivery, uint64_t queue_id);  /* try now */
/* Try now what is deferred, and what is dead. */
unsigned delivery_requeue(struct delivery *delivery, uint64_t queue_id);
unsigned delivery_delete(struct delivery *delivery, uint64_t queue_id);

#define DELIVERY_STATES(X)                                                                         \
	X(ACTIVE, "active")                                                                        \
	X(WAITING, "waiting")                                                                      \
	X(DEFERRED, "deferred")                                                                    \
	X(HELD, "hold")                                                                            \
	X(DEAD, "dead")                                                                            \
	X(OUTGOING, "outgoing")

enum delivery_state {
#define X(name, word) DELIVERY_##name,
	DELIVERY_STATES(X)
#undef X
};

struct delivery_status {
	uint64_t queue_id;
	enum delivery_state state;
	unsigned attempts;
	uint64_t next_try_us;   /* 0: now or never */
	const char *last_reply; /* the last temporary or permanent reply, or "" */
};
/* Calls `fn` for every undelivered mail, in queue id order is not promised. */
void delivery_list(struct delivery *delivery,
	void (*fn)(void *arg, const struct delivery_status *status), void *arg);

struct counter_block;
const struct counter_block *delivery_counters(const struct delivery *delivery);
/* For the relay's thread: it runs beside delivery and ends before delivery_free(). NULL: none. */
struct relay *delivery_relay(const struct delivery *delivery);
/* NULL where there is no relay. */
const struct counter_block *delivery_relay_counters(const struct delivery *delivery);
const struct counter_block *delivery_backend_counters(const struct delivery *delivery);
