#include "spool/queue/notes.h"

#include <stdlib.h>

#define NOTES_FIRST 256u

static bool grow(struct notes *n)
{
	uint32_t size = n->size ? n->size * 2 : NOTES_FIRST;
	struct delivery_note *ring = calloc(size, sizeof(*ring));

	if (!ring)
		return false;
	for (uint32_t i = 0; i < n->count; i++)
		ring[i] = n->ring[(n->head + i) & (n->size - 1)];
	free(n->ring);
	n->ring = ring;
	n->size = size;
	n->head = 0;
	return true;
}

void notes_put(struct notes *n, const struct delivery_note *note)
{
	if (n->count == n->size && !grow(n)) {
		n->lost++;
		return;
	}
	n->ring[(n->head + n->count++) & (n->size - 1)] = *note;
}

bool notes_take(struct notes *n, struct delivery_note *note)
{
	if (n->count == 0)
		return false;
	*note = n->ring[n->head];
	n->head = (n->head + 1) & (n->size - 1);
	n->count--;
	return true;
}

void notes_fini(struct notes *n)
{
	free(n->ring);
	*n = (struct notes){0};
}
