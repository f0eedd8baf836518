#pragma once

#include "gateway/mail.h"

/* What happened to a mail, and why: in the log, in the spool, and in memory for `postern trace`. */

#define MAIL_TRACE_MAX 4096

/* One log line with the verdict and all that led to it. */
void mail_trace_log(struct mail *mail, const struct auth_verdict *verdict);
/* Envelope, steps of the evaluation and verdict as lines of text. */
void mail_trace_put(const struct mail *mail, struct text *out);
/* Remember it with its end in the worker's ring. */
void mail_trace_keep(struct mail *mail, const char *end);
