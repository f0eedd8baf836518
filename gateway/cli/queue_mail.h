/* A mail of the queue as it would be delivered: on a stream, or in a file of its own. */
#pragma once

#include "spool/log/spool_log.h"

#include <stdio.h>

/* Fields in front, and the content between cuts. */
#define QUEUE_MAIL_PARTS (2u + SPOOL_MAX_CUTS + 1u)

/* The recipient's copy is marked for Junk. */
bool queue_mail_is_junk(const struct spool_envelope *envelope, uint32_t recipient);
/* What is sent, in order; returns how many parts. */
unsigned queue_mail_parts(
	const struct spool_view *view, bool junk, struct bytes parts[QUEUE_MAIL_PARTS]);
/* Every recipient's copy is. */
bool queue_mail_all_junk(const struct spool_envelope *envelope);
/* The fields to prepend, those of a marked copy or not, and the content, less what is cut. */
void queue_mail_put(const struct spool_view *view, bool junk, FILE *out);
/*
 * In `directory` as ID.eml, which is written whole or not at all; where only some copies are marked
 * for Junk, theirs is ID.junk.eml. 0 or -errno.
 */
int queue_mail_export(const struct spool_view *view, const char *directory);
