/*
 * The index of undelivered mail in memory: one entry a mail, in the list of its state. With the
 * log's own part of it (spool/log/item.h) a mail costs less than 256 octets.
 */
#pragma once

#include "base/slab.h"
#include "base/wheel.h"
#include "spool/queue/delivery.h"
#include "spool/queue/replies.h"

#define INDEX_MAX_MAILS (1u << 23)
#define INDEX_STATES    6u

enum index_flags {
	INDEX_HOLD = 1 << 0,   /* hold it when the attempt under way is over */
	INDEX_DELETE = 1 << 1, /* the same for deletion */
	INDEX_WARNED = 1 << 2, /* its sender knows that it is late, or does not want to */
};

struct index_entry {
	struct wheel_timer timer; /* the next try, or while waiting the expiry */
	struct spool_item *item;
	struct index_entry *next, **link; /* in the list of its state */
	uint64_t *ended; /* NULL, or two maps of bits: recipients done, recipients failed */
	uint32_t expires_s;
	uint32_t reply; /* the last that was not a success; see replies.h */
	uint16_t attempts;
	uint16_t n_recipients;
	uint8_t state; /* enum delivery_state */
	uint8_t flags; /* enum index_flags */
};

_Static_assert(sizeof(struct index_entry) <= 80, "the rest of 256 is the log's");

struct index_list {
	struct index_entry *first, **last;
	uint64_t count;
};

struct index {
	struct slab entries;
	struct index_list lists[INDEX_STATES];
};

int index_init(struct index *x);
/* Releases the items. */
void index_fini(struct index *x);
/* An entry for the item, waiting; NULL at the bound. */
struct index_entry *index_add(struct index *x, struct spool_item *item);
/* Releases the item; the timer is disarmed already. */
void index_remove(struct index *x, struct index_entry *entry);
/* To the end of that state's list, or to its front. */
void index_move(struct index *x, struct index_entry *entry, enum delivery_state state, bool front);

/* Which recipients ended, as far as delivery knows before the log does. */
bool index_is_done(const struct index_entry *entry, uint32_t recipient);
bool index_is_failed(const struct index_entry *entry, uint32_t recipient);
/* 0 or -ENOMEM (then only the log will know). */
int index_set_done(struct index_entry *entry, uint32_t recipient);
int index_set_failed(struct index_entry *entry, uint32_t recipient);
void index_forget_failed(struct index_entry *entry);
