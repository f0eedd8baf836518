#pragma once

#include "base/bytes.h"
#include "base/chunk.h"
#include "base/dsn.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the spool's rooms share: a mail as it was accepted. The spool keeps the content as received;
 * fields to prepend and ranges to leave out are kept beside it and applied when sending (DESIGN
 * §7).
 */

#define SPOOL_MAX_RECIPIENTS 1000
#define SPOOL_MAX_CUTS       32

enum spool_recipient_flags {
	SPOOL_RCPT_QUARANTINE = 1 << 0, /* this recipient's copy is marked for Junk */
};

struct spool_recipient {
	struct bytes address; /* forward-path without <> */
	uint8_t flags;
	uint8_t notify;     /* enum dsn_notify; 0: not given */
	struct bytes orcpt; /* as given to RCPT; empty: not given */
};

/* Octets [from, to) of the content that are not sent. Ascending, apart. */
struct spool_cut {
	uint32_t from, to;
};

enum spool_mail_flags {
	SPOOL_MAIL_8BIT = 1 << 0,       /* BODY=8BITMIME was declared */
	SPOOL_MAIL_UTF8 = 1 << 1,       /* SMTPUTF8 */
	SPOOL_MAIL_BARE_EOL = 1 << 2,   /* holds a bare CR or LF: to a backend by BDAT only */
	SPOOL_MAIL_QUARANTINE = 1 << 3, /* for every recipient */
	SPOOL_MAIL_HOLD = 1 << 4,       /* straight to hold */
	SPOOL_MAIL_RELAY = 1 << 5,      /* of our own making, for the relay and not for a backend */
	/*
	 * The client proved that it may use the reverse-path (SPF pass for it, or DMARC pass for an
	 * aligned author domain), so that a bounce hits nobody else.
	 */
	SPOOL_MAIL_SENDER_AUTHENTIC = 1 << 6,
	SPOOL_MAIL_RET_FULL = 1 << 7, /* RET=FULL (RFC 3461 §4.3) */
	SPOOL_MAIL_RET_HDRS = 1 << 8, /* RET=HDRS */
};

/*
 * The commit record's own part. `prepend` ends with CRLF; what a quarantined recipient's copy gets
 * in front of it besides is `quarantine_prepend`. `trace` is for `postern trace` (auth/trace.h, or text).
 */
struct spool_envelope {
	uint64_t queue_id;
	uint64_t received_unix_us;
	uint32_t flags; /* enum spool_mail_flags */
	struct bytes reverse_path;
	struct bytes client; /* "NAME [ADDRESS]", for listings */
	uint32_t n_recipients;
	const struct spool_recipient *recipients;
	struct bytes prepend, quarantine_prepend, trace;
	struct bytes envid; /* as given to MAIL; empty: not given */
	uint32_t n_cuts;
	const struct spool_cut *cuts;
	uint64_t content_octets;
};

/* What became of one recipient; in done records. */
#define SPOOL_OUTCOMES(X)                                                                          \
	X(DELIVERED, "delivered")                                                                  \
	X(BOUNCED, "bounced")                                                                      \
	X(DELETED, "deleted")                                                                      \
	X(EXPIRED, "expired")

enum spool_outcome {
#define X(name, word) SPOOL_##name,
	SPOOL_OUTCOMES(X)
#undef X
};

/* Where a mail lies that is not tried again by itself, or how far it has come in the queue. */
#define SPOOL_SHELVES(X)                                                                           \
	X(SPOOL_IN_QUEUE, "queue") /* nowhere: it is tried */                                      \
	X(SPOOL_ON_HOLD, "hold")                                                                   \
	X(SPOOL_ON_DEAD, "dead")      /* neither to be delivered nor bounced */                    \
	X(SPOOL_IN_QUEUE_LATE, "late") /* it is tried, and its sender knows that it is late */

enum spool_shelf {
#define X(id, word) id,
	SPOOL_SHELVES(X)
#undef X
		SPOOL_N_SHELVES
};

const char *spool_shelf_word(enum spool_shelf shelf);

/*
 * A mail on its way from the log to delivery: committed, with its place in the log and, while
 * memory allows, its bytes. Made by the log, owned by whoever has it, given back by
 * spool_item_release().
 */
struct spool_item;
void spool_item_release(struct spool_item *item);
uint64_t spool_item_queue_id(const struct spool_item *item);
