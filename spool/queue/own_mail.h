/* Mails of our own making on their way to the log, and what to do with what they are about once
 * they are there. */
#pragma once

#include "base/queue_id.h"
#include "spool/queue/delivery.h"

/* A log that could not take one is asked again after that. */
#define OWN_MAIL_RETRY_US 1000000u
#define OWN_MAIL_TRACE    64u

struct own_mail {
	struct delivery_mail mail; /* first, so that it leads here */
	struct own_mail *next, **link;
	struct index_entry *origin; /* waits for it; NULL: nobody does */
	uint64_t original_id;       /* of the mail that it tells of; 0: of none alone */
	uint32_t temporary;         /* of the origin's recipients, to be tried again */
	uint32_t n_numbers;
	uint32_t *numbers; /* of the origin's recipients, that are done by it */
	bool refused;      /* by the log, for now */
	struct spool_recipient to;
	char trace[OWN_MAIL_TRACE];
	size_t room;
	char content[]; /* behind it, the address */
};

struct own_mails {
	struct queue_id_gen ids;
	struct own_mail *all;
	uint32_t count, refused;
	uint64_t retry_us;
};

/* `seen` is the highest queue id of the log. */
void own_mails_init(struct own_mails *own, uint64_t seen);
void own_mails_fini(struct own_mails *own);
/* With room for content, address and numbers, and a queue id; NULL: no memory. */
struct own_mail *own_mail_new(struct own_mails *own, size_t content, struct bytes address,
	uint32_t n_numbers, uint64_t unix_us);
void own_mail_free(struct own_mails *own, struct own_mail *mail);
