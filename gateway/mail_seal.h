#pragma once

#include "gateway/mail.h"

/*
 * An accepted mail's way to the spooler: straight on, or by the sealer's thread where sealing is
 * configured and the mail's chain may grow.
 */

/* Once the fields to put in front are made, and while the evaluation is still there. */
void mail_seal_prepare(struct mail *mail);
/* To the sealer, which passes it on to the spooler; where there is a seal. */
void mail_seal_pass_on(struct mail *mail);
/* For the trace: what is sealed, or why nothing is; nothing where sealing is off. */
void mail_seal_tell(const struct mail *mail, struct trace_writer *out);
