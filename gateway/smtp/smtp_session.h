#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "gateway/smtp/smtp_data.h"
#include "gateway/smtp/smtp_path.h"
#include "gateway/smtp/smtp_reply.h"

/*
 * One SMTP session (RFC 5321) as a sans-I/O unit. Octets go in, replies come out into a text, and
 *what the rest of the gateway must know or decide comes out as events, one at a time:
 *
 *	while ((event = smtp_session_step(s, &input, out)) != SMTP_EVENT_INPUT)
 *		...
 *
 * An event that asks (SMTP_EVENT_MAIL, _RCPT, _DATA, _CONTENT_END) makes the session wait: step
 *returns SMTP_EVENT_WAIT until smtp_session_answer() was called. Replies leave in the order of the
 *commands (RFC 2920).
 */

enum smtp_eol_policy { SMTP_EOL_REFUSE, SMTP_EOL_KEEP };

struct smtp_config {
	const char *hostname;
	uint64_t max_size; /* octets of content, announced by SIZE */
	uint32_t max_recipients;
	uint32_t max_command; /* octets of a command line with CRLF (RFC 5321 §4.5.3.1.4: 512 at
				 least) */
	uint32_t max_errors;  /* replies 4xx/5xx to commands before 421 */
	uint32_t max_transactions; /* mails of one session before 421 */
	uint64_t refuse_bytes; /* read on after a refusal is certain, to the true end; then 421 */
};

enum smtp_event {
	SMTP_EVENT_NONE,        /* never returned */
	SMTP_EVENT_INPUT,       /* all input is taken (or held back for room): give more */
	SMTP_EVENT_OUTPUT,      /* no room for a reply in `out`: empty it and call again */
	SMTP_EVENT_WAIT,        /* an answer is outstanding */
	SMTP_EVENT_HELO,        /* a greeting was accepted; `helo` tells it */
	SMTP_EVENT_MAIL,        /* asks: a transaction begins */
	SMTP_EVENT_RCPT,        /* asks: `rcpt` */
	SMTP_EVENT_DATA,        /* asks: before 354 (answer with SMTP_REPLY_DATA_GO or a refusal) */
	SMTP_EVENT_CONTENT,     /* `content`: octets of the mail, dot-unstuffed */
	SMTP_EVENT_CONTENT_END, /* asks: the mail is whole */
	SMTP_EVENT_RESET,       /* the transaction is over without a mail (RSET, EHLO, QUIT, refused
				   content) */
	SMTP_EVENT_CLOSE,       /* send what is in `out`, then close */
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

/* The transaction so far; bytes lie in the session's arena until it ends. */
struct smtp_transaction {
	struct smtp_path reverse_path;
	uint64_t size;         /* declared, 0 if not */
	uint32_t n_recipients; /* accepted */
	uint8_t body;          /* enum smtp_body */
	uint8_t ret;           /* enum dsn_ret */
	struct bytes envid;    /* as given */
	struct smtp_recipient *first, *last;
};

struct smtp_recipient {
	struct smtp_recipient *next;
	struct smtp_path path;
	uint8_t notify;     /* enum dsn_notify; 0: not given */
	struct bytes orcpt; /* as given */
	uint32_t user;      /* the policy's, given with the answer */
};

enum smtp_state {
	SMTP_STATE_GREETING, /* EHLO or HELO has yet to come */
	SMTP_STATE_READY,
	SMTP_STATE_MAIL,
	SMTP_STATE_RCPT,
	SMTP_STATE_CONTENT,
	SMTP_STATE_CLOSED,
};

#define SMTP_HELO_INLINE 64 /* a longer name lies in the arena */
#define SMTP_HELO_MAX    255

struct smtp_session {
	const struct smtp_config *config;
	struct slab
		*lines; /* objects of max_command octets; one is taken while a line is incomplete */
	uint8_t *line;
	struct arena arena; /* the envelope and a long HELO name; reset when a transaction ends */
	struct smtp_recipient *rcpt; /* the one asked about */
	struct bytes helo;
	struct bytes content; /* of SMTP_EVENT_CONTENT */
	struct smtp_data data;
	struct smtp_transaction transaction;
	const struct smtp_reply *refusal; /* of the content being read, given at its end */
	uint16_t line_len;
	uint16_t errors, transactions;
	uint8_t state;                   /* enum smtp_state */
	uint8_t waiting;                 /* enum smtp_event that asked; 0: none */
	uint8_t next;                    /* enum smtp_event to give before anything else; 0: none */
	uint8_t bare_policy, nul_policy; /* enum smtp_eol_policy, for this client */
	bool esmtp, discard_line, asked_rcpt, closing;
	char helo_inline[SMTP_HELO_INLINE];
};

/* `lines` and `blocks` are borrowed; nothing is taken from them before it is needed. */
void smtp_session_init(struct smtp_session *session, const struct smtp_config *config,
	struct slab *lines, struct slab *blocks);
void smtp_session_fini(struct smtp_session *session);

/* The banner, or the refusal of the connection (554, 421); call once before the first step. */
void smtp_session_greet(struct smtp_session *session, struct text *out);

enum smtp_event smtp_session_step(
	struct smtp_session *session, struct bytes *input, struct text *out);
/*
 * Answer the event that asked. `text` NULL: the reply's own. For RCPT a 2xx keeps the recipient
 * with `user`. A 421 reply closes the session.
 */
void smtp_session_answer(struct smtp_session *session, const struct smtp_reply *reply,
	const char *text, uint32_t user, struct text *out);
/*
 * Refuse the mail whose content is arriving: SMTP_EVENT_RESET comes at once, the rest is read and
 * thrown away, and the reply is given at the true end.
 */
void smtp_session_refuse(struct smtp_session *session, const struct smtp_reply *reply);
/* True while the content of a mail is arriving, refused or not. */
bool smtp_session_in_content(const struct smtp_session *session);
/* True while a command line has begun and not ended. */
bool smtp_session_in_line(const struct smtp_session *session);
/* Say a 421 and close: time-outs, shutdown. */
void smtp_session_bye(
	struct smtp_session *session, const struct smtp_reply *reply, struct text *out);
/* Close without a word more; a transaction gets its SMTP_EVENT_RESET first. */
void smtp_session_close(struct smtp_session *session);
