/* The last replies of deferred mail, each text once: most mails are deferred for the same reason.
 */
#pragma once

#include <stdint.h>

#define REPLIES_MAX      2048u
#define REPLIES_TEXT_MAX 96u

struct replies {
	struct {
		uint32_t users;
		uint32_t next; /* in the chain of its bucket, or of the free ones; 0: the end */
		char text[REPLIES_TEXT_MAX];
	} slots[REPLIES_MAX]; /* [0] is "" */
	uint32_t buckets[REPLIES_MAX];
	uint32_t free;
	uint64_t crowded; /* texts that found no slot */
};

void replies_init(struct replies *r);
/* The text's number, with one user more; 0 where there is no slot. */
uint32_t replies_add(struct replies *r, const char *text);
void replies_drop(struct replies *r, uint32_t number);
const char *replies_text(const struct replies *r, uint32_t number);
