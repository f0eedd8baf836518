#pragma once

#include "gateway/mail.h"

/* What happened to a mail, and why: in the log, in the spool, and in memory for `postern trace`. */

/* Octets of the record that goes to the spool: what has room for the mail's end in the ring. */
#define MAIL_TRACE_END 512u
#define MAIL_TRACE_MAX (TRACE_RING_RECORD - MAIL_TRACE_END)

/* One log line with the verdict and all that led to it. */
void mail_trace_log(struct mail *mail, const struct auth_verdict *verdict);
/* Envelope, steps of the evaluation, decision; in MAIL_TRACE_MAX octets (auth/trace.h). */
struct bytes mail_trace_put(const struct mail *mail, uint8_t buffer[MAIL_TRACE_MAX]);
/* Remember it with its end in the worker's ring. */
void mail_trace_keep(struct mail *mail, const char *end);
