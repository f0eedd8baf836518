/*
 * Queue ids: the microsecond since 1970 at which a mail got its id, and the lcore that gave it.
 *
 * Bits 63..10 are the time (enough for 570 years), bits 9..0 the lcore, so ids of two lcores never
 * meet and all ids sort by time. The text is 13 characters of Crockford's base 32 and sorts alike.
 */
#pragma once

#include "base/bytes.h"

#define QUEUE_ID_LCORE_BITS 10
#define QUEUE_ID_LCORE_MAX  ((1u << QUEUE_ID_LCORE_BITS) - 1)
#define QUEUE_ID_TEXT_LEN   13
/* With the NUL. */
#define QUEUE_ID_TEXT_SIZE (QUEUE_ID_TEXT_LEN + 1)

/* One thread's. */
struct queue_id_gen {
	uint64_t last_us;
	uint32_t lcore;
};

/* `lcore` is at most QUEUE_ID_LCORE_MAX and no other generator's. */
void queue_id_init(struct queue_id_gen *gen, uint32_t lcore);
/* At recovery: every id from now on is later than `seen`, whatever the clock says. */
void queue_id_prime(struct queue_id_gen *gen, uint64_t seen);
/* The next id; strictly above every earlier one of this generator. Never 0. */
uint64_t queue_id_next(struct queue_id_gen *gen, uint64_t unix_us);

static inline uint64_t queue_id_unix_us(uint64_t id)
{
	return id >> QUEUE_ID_LCORE_BITS;
}

/* NUL-terminated; returns `out`. */
char *queue_id_format(uint64_t id, char out[QUEUE_ID_TEXT_SIZE]);
/* Either case; as people read it, I and L are 1 and O is 0. Returns 0 or -EINVAL. */
int queue_id_parse(struct bytes text, uint64_t *id);
