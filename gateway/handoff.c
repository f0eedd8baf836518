#include "gateway/handoff.h"

#include "base/doorbell.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_errno.h>
#include <rte_ring_elem.h>
#include <stdlib.h>

struct handoff {
	struct rte_ring *ring;
	struct doorbell *consumer;
	unsigned record_size;
	bool posted;
};

int handoff_new(const char *name, unsigned count, unsigned record_size, struct doorbell *consumer,
	struct handoff **out)
{
	struct handoff *handoff = calloc(1, sizeof(*handoff));

	if (!handoff)
		return -ENOMEM;
	/* A ring of n holds n - 1. */
	handoff->ring = rte_ring_create_elem(name, record_size, rte_align32pow2(count + 1),
		SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!handoff->ring) {
		free(handoff);
		return -rte_errno;
	}
	handoff->consumer = consumer;
	handoff->record_size = record_size;
	*out = handoff;
	return 0;
}

void handoff_free(struct handoff *handoff)
{
	if (!handoff)
		return;
	rte_ring_free(handoff->ring);
	free(handoff);
}

bool handoff_post(struct handoff *handoff, const void *record)
{
	if (rte_ring_sp_enqueue_elem(
		    handoff->ring, (void *)(uintptr_t)record, handoff->record_size) != 0)
		return false;
	handoff->posted = true;
	return true;
}

unsigned handoff_room(const struct handoff *handoff)
{
	return rte_ring_free_count(handoff->ring);
}

void handoff_ring(struct handoff *handoff)
{
	if (!handoff->posted)
		return;
	handoff->posted = false;
	doorbell_ring(handoff->consumer);
}

unsigned handoff_take(struct handoff *handoff, void *records, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(
		handoff->ring, records, handoff->record_size, n, NULL);
}

bool handoff_is_empty(const struct handoff *handoff)
{
	return rte_ring_empty(handoff->ring) != 0;
}
