/* Old mail to the backends again, past the queue: what fails is told, and not tried again. */
#pragma once

#include "gateway/control/config.h"
#include "spool/log/spool_log.h"

struct replay_deliver;

int replay_deliver_new(const struct config *config, struct replay_deliver **out, struct text *why);
void replay_deliver_free(struct replay_deliver *d);
/* Prints a line a recipient. False: not all of them got it. */
bool replay_deliver_mail(struct replay_deliver *d, const struct spool_view *view, bool json);
