#include "dataplane/tcp/tcp_reminder_priv.h"

#include <errno.h>
#include <sys/mman.h>

#define RING_MIN 16u
#define RING_MAX 65536u

static size_t ring_size(const struct tcp_reminder *r)
{
	return ((size_t)r->mask + 1) * sizeof(r->ring[0]);
}

int tcp_reminder_init(struct tcp_reminder *r, unsigned max)
{
	uint32_t n = RING_MIN;
	void *map;

	while (n < max && n < RING_MAX)
		n *= 2;
	*r = (struct tcp_reminder){.mask = n - 1};
	map = mmap(NULL, ring_size(r), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	r->ring = map;
	return 0;
}

void tcp_reminder_fini(struct tcp_reminder *r)
{
	if (r->ring)
		munmap(r->ring, ring_size(r));
	r->ring = NULL;
}

bool tcp_reminder_push(struct tcp_reminder *r, const struct tcp_reminder_entry *e, uint64_t now_us)
{
	struct tcp_reminder_entry *slot = &r->ring[r->tail & r->mask];

	if (r->tail - r->head > r->mask)
		return false;
	*slot = *e;
	slot->due_us = now_us + TCP_REMINDER_DELAY_US;
	r->tail++;
	return true;
}

bool tcp_reminder_pop(struct tcp_reminder *r, uint64_t now_us, struct tcp_reminder_entry *e)
{
	if (tcp_reminder_next_us(r) > now_us)
		return false;
	*e = r->ring[r->head++ & r->mask];
	return true;
}

uint64_t tcp_reminder_next_us(const struct tcp_reminder *r)
{
	return r->head == r->tail ? UINT64_MAX : r->ring[r->head & r->mask].due_us;
}
