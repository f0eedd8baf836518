/* Hand-overs in memory, in the place of handoff.c, which needs DPDK to be set up. */
#include "base/doorbell.h"
#include "base/spsc.h"
#include "gateway/handoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct handoff {
	struct spsc ring;
	unsigned record_size, count; /* what was asked for: the ring may have more */
	struct doorbell *consumer;
	void *records;
};

static uint32_t power_of_two(unsigned count)
{
	uint32_t power = 1;

	while (power < count)
		power *= 2;
	return power;
}

int handoff_new(const char *name, unsigned count, unsigned record_size, struct doorbell *consumer,
	struct handoff **out)
{
	struct handoff *handoff = aligned_alloc(64, (sizeof(*handoff) + 63) / 64 * 64);
	uint32_t records = power_of_two(count);

	(void)name;
	assert_non_null(handoff);
	*handoff = (struct handoff){
		.record_size = record_size,
		.count = count,
		.consumer = consumer,
		.records = calloc(records, record_size),
	};
	assert_int_equal(spsc_init(&handoff->ring, handoff->records, record_size, records), 0);
	*out = handoff;
	return 0;
}

void handoff_free(struct handoff *handoff)
{
	if (handoff)
		free(handoff->records);
	free(handoff);
}

bool handoff_post(struct handoff *handoff, const void *record)
{
	/* Credit says that there is room. */
	assert_true(spsc_count(&handoff->ring) < handoff->count);
	memcpy(spsc_reserve(&handoff->ring), record, handoff->record_size);
	spsc_commit(&handoff->ring);
	return true;
}

unsigned handoff_room(const struct handoff *handoff)
{
	return handoff->count - spsc_count(&handoff->ring);
}

void handoff_ring(struct handoff *handoff)
{
	if (handoff->consumer)
		doorbell_ring(handoff->consumer);
}

unsigned handoff_take(struct handoff *handoff, void *records, unsigned n)
{
	const void *record;
	unsigned taken = 0;

	for (; taken < n && (record = spsc_peek(&handoff->ring)) != NULL; taken++) {
		memcpy((char *)records + (size_t)taken * handoff->record_size, record,
			handoff->record_size);
		spsc_pop(&handoff->ring);
	}
	return taken;
}

bool handoff_is_empty(const struct handoff *handoff)
{
	return spsc_count(&handoff->ring) == 0;
}
