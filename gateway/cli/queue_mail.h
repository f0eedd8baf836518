/* A mail of the queue as it would be delivered: on a stream, or in a file of its own. */
#pragma once

#include "spool/log/spool_log.h"

#include <stdio.h>

/* The fields to prepend and the content, less what is cut. */
void queue_mail_put(const struct spool_view *view, FILE *out);
/* In `directory` as ID.eml, which is written whole or not at all. 0 or -errno. */
int queue_mail_export(const struct spool_view *view, const char *directory);
