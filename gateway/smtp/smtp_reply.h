#pragma once

#include "base/bytes.h"

/*
 * Every reply this server gives, in one table: code, enhanced status (RFC 3463, 2034), text. Policy
 * refusals whose text depends on the mail use the code and status of one of these with a text of
 * their own.
 */
#define SMTP_REPLIES(X)                                                                            \
	X(OK, 250, "2.0.0", "Ok")                                                                  \
	X(SENDER_OK, 250, "2.1.0", "Ok")                                                           \
	X(RECIPIENT_OK, 250, "2.1.5", "Ok")                                                        \
	X(QUEUED, 250, "2.0.0", "Ok: queued")                                                      \
	X(DATA_GO, 354, "", "End data with <CR><LF>.<CR><LF>")                                     \
	X(VRFY, 252, "2.1.5", "Send some mail, I will try my best")                                \
	X(HELP, 214, "2.0.0", "Commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT")       \
	X(BYE, 221, "2.0.0", "Bye")                                                                \
	X(SHUTDOWN, 421, "4.3.2", "Service shutting down, try again later")                        \
	X(IDLE, 421, "4.4.2", "Timeout waiting for the client")                                    \
	X(SHED, 421, "4.3.2", "Idle for too long while others wait, try again later")              \
	X(TOO_MANY_ERRORS, 421, "4.7.0", "Too many errors")                                        \
	X(TOO_MANY_MAILS, 421, "4.7.0", "Too many messages in one connection")                     \
	X(TOO_MANY_CONNECTIONS, 421, "4.7.0", "Too many connections, try again later")             \
	X(NO_MEMORY, 421, "4.3.1", "Out of memory, try again later")                               \
	X(LOCAL_ERROR, 451, "4.3.0", "Local error, try again later")                               \
	X(DNS_LATER, 451, "4.4.3", "Temporary DNS failure, try again later")                       \
	X(TOO_MANY_RECIPIENTS, 452, "4.5.3", "Too many recipients")                                \
	X(NO_SPACE, 452, "4.3.1", "Insufficient storage, try again later")                         \
	X(BAD_COMMAND, 500, "5.5.2", "Command not recognized")                                     \
	X(BAD_LINE, 500, "5.5.2", "Line holds octets that no command may")                         \
	X(LINE_TOO_LONG, 500, "5.5.2", "Line too long")                                            \
	X(BAD_SYNTAX, 501, "5.5.4", "Syntax error in parameters")                                  \
	X(BAD_SENDER_SYNTAX, 501, "5.1.7", "Bad sender address syntax")                            \
	X(BAD_RECIPIENT_SYNTAX, 501, "5.1.3", "Bad recipient address syntax")                      \
	X(BAD_HELO, 501, "5.5.4", "Invalid host name")                                             \
	X(NEED_HELO, 503, "5.5.1", "Send EHLO or HELO first")                                      \
	X(NEED_MAIL, 503, "5.5.1", "Need MAIL first")                                              \
	X(NEED_RCPT, 503, "5.5.1", "Need RCPT first")                                              \
	X(NESTED_MAIL, 503, "5.5.1", "Sender already given")                                       \
	X(PARAMETER_UNKNOWN, 555, "5.5.4", "Unsupported parameter")                                \
	X(NO_VALID_RECIPIENTS, 554, "5.5.1", "No valid recipients")                                \
	X(RELAY_DENIED, 550, "5.7.1", "Relaying denied")                                           \
	X(NO_SUCH_USER, 550, "5.1.1", "No such user")                                              \
	X(TOO_BIG, 552, "5.3.4", "Message too big")                                                \
	X(BAD_EOL, 550, "5.6.0", "Bare CR or LF is not allowed")                                   \
	X(HEADER_TOO_BIG, 552, "5.3.4", "Header section too big")                                  \
	X(LOOP, 554, "5.4.6", "Too many hops, mail loop")                                          \
	X(REFUSED, 550, "5.7.1", "Message refused")                                                \
	X(SPF_REFUSED, 550, "5.7.23", "SPF validation failed")                                     \
	X(MULTIPLE_FROM, 550, "5.7.1", "Message has more than one author domain")

enum smtp_reply_id {
#define X(name, code, status, text) SMTP_REPLY_##name,
	SMTP_REPLIES(X)
#undef X
		SMTP_REPLY_COUNT
};

struct smtp_reply {
	uint16_t code;
	const char *status; /* enhanced status, "" where none belongs */
	const char *text;
};

const struct smtp_reply *smtp_reply_get(enum smtp_reply_id id);

/* Room that any one reply line needs at most. */
#define SMTP_REPLY_MAX 512

/* Write it as one line, or as several where `text` is longer than a line carries; controls become
 * '?'. */
void smtp_reply_put(struct text *out, const struct smtp_reply *reply, struct bytes text);
