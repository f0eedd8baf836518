/* Old mail through the auth engine and today's policy, with fresh DNS answers. */
#pragma once

#include "gateway/control/config.h"
#include "spool/log/spool_log.h"

struct replay_verify;

int replay_verify_new(const struct config *config, struct replay_verify **out, struct text *why);
void replay_verify_free(struct replay_verify *v);
/* Prints what is found out and what would become of it now. False: not accepted as it is. */
bool replay_verify_mail(struct replay_verify *v, const struct spool_view *view, bool json);
