/*
 * Delivery status notifications (RFC 3464 in the multipart/report of RFC 6522), without I/O: tells
 * a sender for which recipients its mail failed, is late or was delivered, and why; in the way that
 * the sender asked for (RFC 3461).
 *
 * Loops are impossible: a bounce has the null reverse-path and is marked SPOOL_MAIL_RELAY, and
 * bounce_may() refuses both. Backscatter is not made either, unless the operator wants it: only a
 * sender that has proved to be one is answered.
 */
#pragma once

#include "spool/spool.h"

/* Of the original's header section, so much goes back; the rest is cut at a line's end. */
#define BOUNCE_HEADER_MAX 16384u
/* A larger original goes back without its body, whatever the sender wishes (RET=FULL). */
#define BOUNCE_FULL_MAX 65536u
/* Of an address or a reply, that much is told. */
#define BOUNCE_ADDRESS_MAX 320u
#define BOUNCE_REPLY_MAX   512u

/* name, Action (RFC 3464 §2.3.3), class of Status, subject */
#define BOUNCE_ACTIONS(X)                                                                          \
	X(BOUNCE_FAILED, "failed", '5', "Your mail could not be delivered")                        \
	X(BOUNCE_DELAYED, "delayed", '4', "Your mail is delayed")                                  \
	X(BOUNCE_DELIVERED, "delivered", '2', "Your mail was delivered")

enum bounce_action {
#define X(id, word, class, subject) id,
	BOUNCE_ACTIONS(X)
#undef X
		BOUNCE_N_ACTIONS
};

struct bounce_recipient {
	struct bytes address;
	struct bytes orcpt; /* as given to RCPT; empty: not given */
	enum bounce_action action;
	const char *status; /* enhanced code, "5.1.1"; "" where there was none */
	const char *reply;  /* the server's, "550 5.1.1 no such user" */
	bool expired;       /* failed, but it was a temporary failure all the time */
};

struct bounce {
	const char *hostname; /* ours */
	uint64_t queue_id;    /* of the bounce itself: its Message-ID and boundary */
	uint64_t now_unix_s;
	uint64_t original_id, arrival_unix_s;
	uint64_t retry_until_unix_s; /* for what is delayed */
	struct bytes reverse_path;   /* of the original: to whom it goes */
	struct bytes envid;          /* as given to MAIL; empty: not given */
	struct bytes content;        /* of the original */
	bool full; /* all of it goes back, if 7-bit lines can hold it; else its header section */
	const struct bounce_recipient *recipients;
	uint32_t n_recipients; /* at least one */
};

/* Whether a mail with this envelope may bounce; `anyone`: even if its sender is not authentic. */
bool bounce_may(const struct spool_envelope *envelope, bool anyone);
/* Whether the recipient's sender wants to be told of that (RFC 3461 §4.1). */
bool bounce_wanted(const struct spool_recipient *recipient, enum bounce_action action);
/* Octets that bounce_put() writes at most. */
size_t bounce_size_max(const struct bounce *bounce);
/* The whole mail, all of it 7-bit with CRLF and lines of at most 998 octets. */
void bounce_put(const struct bounce *bounce, struct text *out);
/* At most `max` octets; what cannot stand in a line of 7-bit text is shown as a question mark. */
void bounce_put_safe(struct text *out, struct bytes value, size_t max);
