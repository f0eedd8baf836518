/*
 * For tests: an LMTP server of a few replies on a unix socket, run step by step; or an SMTP server
 * on a port of loopback.
 */
#pragma once

#include "base/bytes.h"

#define FAKE_LMTP_CONNECTIONS 8u
#define FAKE_LMTP_MAILS       512u
#define FAKE_LMTP_BODY        65536u

/* What is done with a recipient goes by the first letter of its address. */
enum fake_lmtp_letter {
	FAKE_TEMPORARY = 't', /* 450 to RCPT while `ill`, then as good */
	FAKE_PERMANENT = 'p', /* 550 to RCPT */
	FAKE_LATE = 'l',      /* 452 after the content while `ill`, then as good */
	FAKE_HANG_UP = 'h',   /* takes the content while `ill`, then closes without a reply */
};

struct fake_lmtp_mail {
	char from[128];
	char to[128]; /* separated by blanks */
	size_t len;
	char *body;
};

struct fake_lmtp;

struct fake_lmtp_config {
	const char *path; /* NULL: SMTP */
	bool chunking, pipelining;
};

struct fake_lmtp *fake_lmtp_new(const struct fake_lmtp_config *config);
/* Of the SMTP server. */
unsigned fake_lmtp_port(const struct fake_lmtp *f);
void fake_lmtp_free(struct fake_lmtp *f);
/* Closes the socket and all connections; fake_lmtp_start() opens it again. */
void fake_lmtp_stop(struct fake_lmtp *f);
void fake_lmtp_start(struct fake_lmtp *f);
void fake_lmtp_ill(struct fake_lmtp *f, bool ill);
/* Does what can be done without waiting. */
void fake_lmtp_step(struct fake_lmtp *f);
/* Mails taken so far: one for each transaction, with the recipients that got 250. */
unsigned fake_lmtp_count(const struct fake_lmtp *f);
const struct fake_lmtp_mail *fake_lmtp_at(const struct fake_lmtp *f, unsigned index);
