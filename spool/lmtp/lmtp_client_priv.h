/* Inside of the LMTP client: mails under way, what is sent, what is replied. */
#pragma once

#include "spool/lmtp/lmtp_client.h"

/* --- lmtp_client.c --- */

void lmtp_client_fail(struct lmtp_client *c, const char *why);
void lmtp_client_result(struct lmtp_result *r, enum lmtp_outcome outcome, const char *text);
/* Everyone of the mail who has no result yet gets this one. */
void lmtp_client_settle(struct lmtp_mail *mail, enum lmtp_outcome outcome, const char *text);
/* The oldest mail is over, and the next is what replies are for. */
void lmtp_client_finish(struct lmtp_client *c);
/* The content of a mail is out: the next may follow. */
void lmtp_client_sent(struct lmtp_client *c);
/* Ready for the first mail, or the next. */
void lmtp_client_ready(struct lmtp_client *c);

/* --- lmtp_client_tx.c --- */

/* Whether octets, behind those `cr` tells of, hold a bare CR or LF; a CR at their end is in `cr`.
 */
bool lmtp_client_bare(struct bytes octets, bool *cr);
