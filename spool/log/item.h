/*
 * An undelivered mail as the log knows it, and the table of them all by queue id.
 *
 * The item is shared: the log holds it until the last recipient is done, whoever delivers it holds
 * it besides. Where it lies is the spooler's and changes under the lock of the segment table.
 */
#pragma once

#include <stdatomic.h>

#include "spool/log/segment.h"
#include "spool/log/spool_log.h"

/* A record's payload kept in memory. Counted, since a reader may outlast its item. */
struct item_memory {
	_Atomic uint32_t refs;
	uint32_t len;
	struct item_account *account;
	uint8_t data[];
};

/* Octets that all items of a log may and do keep in memory; any thread. */
struct item_account {
	uint64_t max;
	_Atomic uint64_t used;
};

/* The segments, each once, that hold extents of a mail, and how many octets. */
struct item_extents {
	uint32_t count, cap;
	struct item_part {
		struct segment *segment;
		uint64_t octets;
	} parts[];
};

struct spool_item {
	_Atomic uint32_t refs;
	uint16_t n_recipients;
	_Atomic uint8_t shelf; /* enum spool_shelf */
	bool broken : 1;       /* at recovery: an extent's segment is gone */
	bool relay : 1;        /* SPOOL_MAIL_RELAY; set before anybody sees the item */
	uint32_t remaining;    /* recipients not done; the spooler's */
	_Atomic uint32_t shelved_s;
	uint64_t queue_id;
	struct segment *segment; /* NULL: no longer in the log */
	uint32_t offset, size;   /* of the commit record */
	struct item_memory *memory;
	struct item_extents *extents;
	_Atomic uint64_t done;       /* a bit a recipient, where there are at most 64 */
	_Atomic uint64_t *done_many; /* else these words */
};

_Static_assert(sizeof(struct spool_item) <= 88, "with malloc's own, 96 octets of the 256");

/* One reference, the caller's. NULL when out of memory. */
struct spool_item *item_new(uint64_t queue_id, uint32_t n_recipients);
void item_hold(struct spool_item *item);
/* Words of the map of done recipients. */
uint32_t item_done_words(const struct spool_item *item);
_Atomic uint64_t *item_done_map(struct spool_item *item);
/* Moves it to a shelf (or back), where it lies since that second of Unix time. */
void item_shelve(struct spool_item *item, enum spool_shelf shelf, uint32_t since_s);
enum spool_shelf item_shelf(const struct spool_item *item);
/* True if it was not done before. */
bool item_set_done(struct spool_item *item, uint32_t recipient);

/* A copy of `len` octets with one reference, or NULL: no memory, or the account is full. */
struct item_memory *item_memory_new(struct item_account *account, const void *data, uint32_t len);
struct item_memory *item_memory_hold(struct item_memory *memory);
void item_memory_release(struct item_memory *memory); /* NULL does nothing */

/*
 * Adds octets in a segment to the list, which grows by realloc and may be NULL; the segment counts
 * one mail more if it was not in it. Returns -ENOMEM with nothing changed.
 */
int item_extents_add(struct item_extents **list, struct segment *segment, uint64_t octets);
bool item_extents_in(const struct item_extents *list, const struct segment *segment);
/* The segments count this mail no more; frees the list. */
void item_extents_free(struct item_extents *list);

/* Where the commit record lies, and the extents; takes over `extents`. */
void item_place(struct spool_item *item, struct segment *segment, uint32_t offset, uint32_t size,
	struct item_extents *extents);
/* Out of the log: its segments count it no more. */
void item_unplace(struct spool_item *item);

/* Open addressing, grown at 3/4; deletes shift back, so there are no tombs. */
struct item_table {
	struct spool_item **slots;
	uint64_t n_slots, count;
};

int item_table_init(struct item_table *t);
/* The items are released. */
void item_table_fini(struct item_table *t);
struct spool_item *item_table_find(const struct item_table *t, uint64_t queue_id);
/* Room for so many more, so that item_table_put() cannot fail for them. 0 or -ENOMEM. */
int item_table_reserve(struct item_table *t, uint64_t more);
/* Takes over the reference. The queue id is not in it yet. 0 or -ENOMEM. */
int item_table_put(struct item_table *t, struct spool_item *item);
/* Gives the reference back to the caller. */
struct spool_item *item_table_take(struct item_table *t, uint64_t queue_id);
