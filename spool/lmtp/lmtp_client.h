/*
 * LMTP (RFC 2033), the client's side, without I/O: replies come in as bytes, commands and content
 * go out as bytes, time is an argument.
 *
 * MAIL and its RCPTs go out together where the server announced PIPELINING; content goes by one
 * BDAT (RFC 3030) where it announced CHUNKING, else by DATA. With both, whole mails may be sent one
 * behind the other, before any reply. Only parameters it announced are sent.
 * Content that holds a bare CR or LF never goes by DATA: there are servers that end DATA at LF.LF
 * and run what follows as commands.
 *
 *	init;  loop: output -> socket, socket -> input, tick;  READY: send a mail, look at its
 *	recipients' results when it is over (FAILED: open another connection)
 */
#pragma once

#include "base/bytes.h"
#include "base/dsn.h"

#define LMTP_TEXT_MAX    200u  /* of a reply, with its NUL */
#define LMTP_DSN_MAX     12u   /* "5.123.456" */
#define LMTP_REPLY_LINES 128u  /* of one reply; more is an error of the server */
#define LMTP_LINE_MAX    1024u /* octets of a reply line that are looked at */
#define LMTP_COMMAND_MAX 1400u

#define LMTP_OUTCOMES(X)                                                                           \
	X(LMTP_PENDING, "pending")                                                                 \
	X(LMTP_DELIVERED, "sent")                                                                  \
	X(LMTP_TEMPORARY, "deferred")                                                              \
	X(LMTP_PERMANENT, "failed")

enum lmtp_outcome {
#define X(id, word) id,
	LMTP_OUTCOMES(X)
#undef X
};

struct lmtp_result {
	enum lmtp_outcome outcome;
	bool unsure; /* all was sent, but the final reply was not seen: it may have been delivered
		      */
	bool notify_passed_on; /* the server was told of NOTIFY: who wants to know of success hears
				* from it */
	char dsn[LMTP_DSN_MAX];
	char text[LMTP_TEXT_MAX]; /* "250 2.0.0 Saved", or why there is no reply */
};

struct lmtp_recipient {
	struct bytes address;
	uint8_t notify;     /* enum dsn_notify; 0: not given */
	struct bytes orcpt; /* xtext; empty: not given */
	struct lmtp_result result;
};

/* What is sent; the client's until lmtp_client_over() gives it back. */
struct lmtp_mail {
	struct bytes reverse_path;
	bool eight_bit;            /* BODY=8BITMIME was declared */
	bool utf8;                 /* needs SMTPUTF8 */
	uint8_t ret;               /* enum dsn_ret */
	struct bytes envid;        /* xtext; empty: not given */
	bool bare_eol;             /* known to hold a bare CR or LF */
	const struct bytes *parts; /* the content, one after the other */
	unsigned n_parts;
	/*
	 * Content that is not at hand as a whole: so many octets follow behind the parts. `more` is
	 * called when all parts are sent, and sets others; 0 or -errno, which ends the connection.
	 * NULL where there is nothing to follow.
	 */
	uint64_t more_octets;
	int (*more)(struct lmtp_mail *mail);
	struct lmtp_recipient *recipients; /* at least one */
	unsigned n_recipients;
	/* Over by no fault of its own, without a word from the server to it: send it again. */
	bool untried;
	/* The client's. */
	struct lmtp_mail *next;
	uint64_t octets; /* of content, in all */
	unsigned rcpt_sent, rcpt_seen, accepted;
	bool begun, reset, ahead, mail_refused, content_sent, final_seen;
};

#define LMTP_EXTENSIONS(X)                                                                         \
	X(LMTP_PIPELINING, 0, "PIPELINING")                                                        \
	X(LMTP_8BITMIME, 1, "8BITMIME")                                                            \
	X(LMTP_SMTPUTF8, 2, "SMTPUTF8")                                                            \
	X(LMTP_CHUNKING, 3, "CHUNKING")                                                            \
	X(LMTP_SIZE, 4, "SIZE")                                                                    \
	X(LMTP_DSN, 5, "DSN")                                                                      \
	X(LMTP_STARTTLS, 6, "STARTTLS")

enum lmtp_extension {
#define X(id, bit, word) id = 1 << bit,
	LMTP_EXTENSIONS(X)
#undef X
};

enum lmtp_state {
	LMTP_OPENING, /* greeting and LHLO */
	LMTP_READY,   /* for a mail */
	LMTP_BUSY,    /* with one */
	LMTP_FAILED,  /* the connection is of no use; text says why */
};

/* What is sent next, and what is waited for; private. */
enum lmtp_tx {
	LMTP_TX_NOTHING,
	LMTP_TX_LHLO,
	LMTP_TX_STARTTLS,
	LMTP_TX_RSET,
	LMTP_TX_MAIL,
	LMTP_TX_RCPT,
	LMTP_TX_DATA, /* or BDAT, with its content */
	LMTP_TX_CONTENT,
	LMTP_TX_QUIT,
};

enum lmtp_rx {
	LMTP_RX_NOTHING,
	LMTP_RX_GREETING,
	LMTP_RX_LHLO,
	LMTP_RX_STARTTLS,
	LMTP_RX_TLS, /* nothing may come in clear text any more */
	LMTP_RX_RSET,
	LMTP_RX_MAIL,
	LMTP_RX_RCPT,
	LMTP_RX_DATA,
	LMTP_RX_FINAL,
};

struct lmtp_client {
	enum lmtp_state state;
	enum lmtp_tx tx;
	enum lmtp_rx rx;
	unsigned extensions; /* enum lmtp_extension */
	uint64_t size_limit; /* 0: none */
	uint64_t timeout_us, deadline_us;
	const char *hostname;
	bool hurry;    /* content goes before replies, and mails before earlier ones are over */
	bool used;     /* a transaction was begun before on this connection */
	bool starttls; /* nothing is sent in clear text; to be set before the first input */
	/* Mails under way, oldest first, which is the one that replies are for. */
	struct lmtp_mail *head, *tail;
	unsigned n_mails;
	struct lmtp_mail *over, **over_last; /* not yet given back */
	struct lmtp_mail *sending;           /* NULL: none */
	unsigned part;                       /* of it */
	size_t part_at;
	uint64_t more_left;
	bool line_start, cr;
	unsigned outstanding;       /* commands whose reply has not come */
	struct lmtp_result refusal; /* of the oldest mail's MAIL */
	/* Replies. */
	unsigned line_len, lines;
	unsigned code; /* of the reply's first line */
	char line[LMTP_LINE_MAX];
	char first[LMTP_TEXT_MAX]; /* the reply's first line */
	/* A command, or what ends content. */
	unsigned command_len, command_at;
	char command[LMTP_COMMAND_MAX];
	char failure[LMTP_TEXT_MAX];
};

/* `hostname` is borrowed. Each wait for the server lasts at most `timeout_us`. */
void lmtp_client_init(
	struct lmtp_client *c, const char *hostname, uint64_t timeout_us, uint64_t now_us);
/*
 * When READY, or as lmtp_client_takes() says: one more mail. Its recipients' results become
 * PENDING. It may be over at once: what this server cannot take has failed permanently without a
 * word to it.
 */
void lmtp_client_send(struct lmtp_client *c, struct lmtp_mail *mail, uint64_t now_us);
/*
 * Whether mails may be sent while others are under way: with PIPELINING and CHUNKING everything of
 * a mail may follow what came before it (RFC 2920, RFC 3030 §4.2). Then `hurry` may be set; it
 * should be only where replies came a moment ago, since all that was sent ahead to a server that
 * has gone away is unsure.
 */
bool lmtp_client_takes(const struct lmtp_client *c);
/* A mail that is over, in order; NULL: none. After a failure those that were under way. */
struct lmtp_mail *lmtp_client_over(struct lmtp_client *c);
/* When READY: say goodbye; FAILED once that is out. */
void lmtp_client_quit(struct lmtp_client *c);
/* The next octets to send, at most `cap` (which is 2 or more); 0 when there is nothing to send
 * before a reply. */
size_t lmtp_client_output(struct lmtp_client *c, uint8_t *buf, size_t cap, uint64_t now_us);
void lmtp_client_input(struct lmtp_client *c, struct bytes octets, uint64_t now_us);
/* The server takes what it is sent, slowly: it has its time anew. */
void lmtp_client_progress(struct lmtp_client *c, uint64_t now_us);
/*
 * The server awaits a TLS handshake (RFC 3207): what is sent and comes goes by TLS from here on,
 * and the conversation begins anew with lmtp_client_secured().
 */
bool lmtp_client_turns(const struct lmtp_client *c);
void lmtp_client_secured(struct lmtp_client *c);
/* The connection has ended (or never came to be), with the reason in words. */
void lmtp_client_ended(struct lmtp_client *c, const char *reason);
/* Fails the connection if its time is up at `now_us`. */
void lmtp_client_tick(struct lmtp_client *c, uint64_t now_us);
/* When to tick; UINT64_MAX: nothing is waited for. */
uint64_t lmtp_client_deadline(const struct lmtp_client *c);
/* Why it FAILED. */
const char *lmtp_client_failure(const struct lmtp_client *c);
const char *lmtp_outcome_name(enum lmtp_outcome outcome);
