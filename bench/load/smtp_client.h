/*
 * SMTP (RFC 5321), the client's side as a load generator wants it, without I/O: replies come in as
 * octets, what to send goes out as octets that the caller keeps.
 *
 *	init;  loop: smtp_client_out() -> socket, smtp_client_sent(); socket -> smtp_client_input();
 *	when READY: smtp_client_mail(), _noop() or _quit()
 *
 * With PIPELINING (RFC 2920) MAIL, RCPT and DATA go out together where the server announced it.
 */
#pragma once

#include "base/bytes.h"

#define SMTP_CLIENT_TEXT_MAX  80u   /* of a reply line, kept for the report */
#define SMTP_CLIENT_LINE_MAX  2048u /* octets of a reply line; RFC 5321 §4.5.3.1.5 says 512 */
#define SMTP_CLIENT_LINES_MAX 128u  /* of one reply */

/* What is waited for, or whose reply is. */
#define SMTP_CLIENT_STATES(X)                                                                      \
	X(SMTP_CLIENT_GREETING, "greeting")                                                        \
	X(SMTP_CLIENT_EHLO, "EHLO")                                                                \
	X(SMTP_CLIENT_READY, "next command")                                                       \
	X(SMTP_CLIENT_MAIL, "MAIL")                                                                \
	X(SMTP_CLIENT_RCPT, "RCPT")                                                                \
	X(SMTP_CLIENT_DATA, "DATA")                                                                \
	X(SMTP_CLIENT_CONTENT, "end of data")                                                      \
	X(SMTP_CLIENT_RSET, "RSET")                                                                \
	X(SMTP_CLIENT_NOOP, "NOOP")                                                                \
	X(SMTP_CLIENT_QUIT, "QUIT")                                                                \
	X(SMTP_CLIENT_CLOSED, "end")

enum smtp_client_state {
#define X(id, word) id,
	SMTP_CLIENT_STATES(X)
#undef X
		SMTP_CLIENT_STATE_COUNT
};

/* All but INPUT and BROKEN come with a reply: code and text are its. */
enum smtp_client_event {
	SMTP_CLIENT_EV_INPUT,     /* all octets are taken: give more */
	SMTP_CLIENT_EV_REPLY,     /* a reply that changes nothing for the caller */
	SMTP_CLIENT_EV_READY,     /* greeted: mails may be sent */
	SMTP_CLIENT_EV_MAIL_DONE, /* smtp_client_result() is the code that decided the mail */
	SMTP_CLIENT_EV_NOOP_DONE,
	SMTP_CLIENT_EV_REFUSED, /* not greeted (554, 421 ...): only closing is left */
	SMTP_CLIENT_EV_BYE,     /* after QUIT, or 421: only closing is left */
	SMTP_CLIENT_EV_BROKEN,  /* what came is not what an SMTP server says here */
};

/* What all sessions of a run say. */
struct smtp_client_words {
	struct bytes ehlo, mail, rcpt, data; /* each a line with its CRLF */
	struct bytes envelope;               /* mail, rcpt and data in one */
	bool pipelining;                     /* use it where it is announced */
};

struct smtp_client {
	const struct smtp_client_words *words;
	struct bytes out;     /* still to be sent */
	struct bytes content; /* of the mail at hand */
	uint8_t state;        /* enum smtp_client_state */
	bool server_pipelines;
	bool pipelined; /* the mail at hand went out so */
	bool mail_open; /* the server has accepted MAIL: the transaction must be ended */
	uint8_t lines;  /* of the reply at hand */
	uint16_t line_len;
	uint16_t code;      /* of the last reply */
	uint16_t line_code; /* of the line at hand */
	uint16_t result;    /* of the last mail: the first refusal, or what answered its end */
	uint8_t text_len;
	bool last_line;
	char text[SMTP_CLIENT_TEXT_MAX];
};

/*
 * Writes the lines into `memory`, which must outlive the words. 0, -EINVAL (octets that would end
 * a line), -ENOSPC.
 */
int smtp_client_words_init(struct smtp_client_words *words, const char *helo, const char *from,
	const char *to, bool pipelining, struct text *memory);

void smtp_client_init(struct smtp_client *c, const struct smtp_client_words *words);
/*
 * Takes octets off `input` up to the end of one reply. Call again until it returns
 * SMTP_CLIENT_EV_INPUT or the session is over.
 */
enum smtp_client_event smtp_client_input(struct smtp_client *c, struct bytes *input);

/* What to send next; empty while a reply is awaited. */
static inline struct bytes smtp_client_out(const struct smtp_client *c)
{
	return c->out;
}

/* The first `n` octets of that are on their way. */
static inline void smtp_client_sent(struct smtp_client *c, size_t n)
{
	c->out = bytes_from(c->out, n);
}

/*
 * When READY. `wire` is the content as it goes behind DATA: dots stuffed, ended by CRLF.CRLF; it is
 * borrowed until the mail is done.
 */
void smtp_client_mail(struct smtp_client *c, struct bytes wire);
void smtp_client_noop(struct smtp_client *c);
void smtp_client_quit(struct smtp_client *c);

static inline enum smtp_client_state smtp_client_state(const struct smtp_client *c)
{
	return (enum smtp_client_state)c->state;
}

static inline bool smtp_client_in_mail(const struct smtp_client *c)
{
	return c->state >= SMTP_CLIENT_MAIL && c->state <= SMTP_CLIENT_RSET;
}

static inline unsigned smtp_client_code(const struct smtp_client *c)
{
	return c->code;
}

static inline unsigned smtp_client_result(const struct smtp_client *c)
{
	return c->result;
}

/* The last line of the last reply, without its code, cut to SMTP_CLIENT_TEXT_MAX. */
static inline struct bytes smtp_client_text(const struct smtp_client *c)
{
	return bytes_of(c->text, c->text_len);
}

const char *smtp_client_state_name(enum smtp_client_state state);
