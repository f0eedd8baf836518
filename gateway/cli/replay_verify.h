/*
 * Old mail through the auth engine and today's policy, with the DNS answers that were kept with it
 * or with fresh ones.
 */
#pragma once

#include "gateway/control/config.h"
#include "spool/log/spool_log.h"

struct replay_verify;

/* `fresh`: what was kept is not looked at; else what was not kept is asked afresh. 0 or -errno. */
int replay_verify_new(
	const struct config *config, bool fresh, struct replay_verify **out, struct text *why);
void replay_verify_free(struct replay_verify *v);
/* Prints what is found out and what would become of it now. False: not accepted as it is. */
bool replay_verify_mail(struct replay_verify *v, const struct spool_view *view, bool json);
