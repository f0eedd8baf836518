#pragma once

#include "gateway/mail.h"

/*
 * Make all that the commit record says of a mail, in its own arena. false where that does not hold
 * it. Uses the worker's scratch.
 */
bool mail_envelope_make(struct mail *mail, const struct auth_verdict *verdict);
