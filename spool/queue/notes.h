/* What delivery has to tell the log, in order, until it is taken. */
#pragma once

#include "spool/queue/delivery.h"

/* With that many waiting no more mails are begun. */
#define NOTES_MANY 65536u

struct notes {
	struct delivery_note *ring;
	uint32_t size, head, count; /* size is a power of two */
	uint64_t lost;              /* no memory: the mail may be delivered twice */
};

void notes_put(struct notes *n, const struct delivery_note *note);
bool notes_take(struct notes *n, struct delivery_note *note);
void notes_fini(struct notes *n);
