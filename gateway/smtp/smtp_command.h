#pragma once

#include "base/bytes.h"
#include "base/dsn.h"
#include "gateway/smtp/smtp_path.h"

/*
 * Command lines of RFC 5321 §4.1.1, without the CRLF: which verb, and the arguments of MAIL and
 * RCPT.
 */
#define SMTP_VERBS(X)                                                                              \
	X(EHLO)                                                                                    \
	X(HELO)                                                                                    \
	X(MAIL)                                                                                    \
	X(RCPT)                                                                                    \
	X(DATA)                                                                                    \
	X(RSET)                                                                                    \
	X(NOOP)                                                                                    \
	X(VRFY)                                                                                    \
	X(HELP)                                                                                    \
	X(QUIT)

enum smtp_verb {
#define X(name) SMTP_VERB_##name,
	SMTP_VERBS(X)
#undef X
		SMTP_VERB_UNKNOWN
};

/* The verb of a line and what follows it, without the blanks around. */
enum smtp_verb smtp_command_verb(struct bytes line, struct bytes *arguments);
/* Printable ASCII, blanks and tabs only. */
bool smtp_command_is_clean(struct bytes line);

enum smtp_syntax {
	SMTP_SYNTAX_OK,
	SMTP_SYNTAX_BAD, /* the keyword or a parameter */
	SMTP_SYNTAX_BAD_PATH,
	SMTP_SYNTAX_UNKNOWN_PARAMETER,
};

struct smtp_mail_arguments {
	struct smtp_path path;
	bool has_size;
	uint64_t size;
	bool has_body;
	bool eight_bit;     /* BODY=8BITMIME */
	uint8_t ret;        /* enum dsn_ret */
	struct bytes envid; /* xtext; empty: not given */
};

struct smtp_rcpt_arguments {
	struct smtp_path path;
	uint8_t notify;     /* enum dsn_notify; 0: not given */
	struct bytes orcpt; /* empty: not given */
};

/* "FROM:<path> SIZE=n BODY=8BITMIME RET=HDRS ENVID=x". Parameters only where `esmtp`. */
enum smtp_syntax smtp_command_mail(
	struct bytes arguments, bool esmtp, struct smtp_mail_arguments *mail);
/* "TO:<path> NOTIFY=FAILURE ORCPT=rfc822;x", likewise. */
enum smtp_syntax smtp_command_rcpt(
	struct bytes arguments, bool esmtp, struct smtp_rcpt_arguments *rcpt);
