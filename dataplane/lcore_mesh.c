#include "dataplane/lcore_mesh.h"

#include "base/spsc.h"

#include <errno.h>
#include <stdlib.h>

struct mesh_ring {
	struct spsc spsc;
	struct lcore_item items[LCORE_MESH_RING];
};

struct mesh_lcore {
	_Alignas(64) struct doorbell *bell;
	uint32_t passed; /* bit per lcore: passed something since the last lcore_mesh_ring() */
	unsigned next;   /* whose ring is looked at first, so that none starves */
};
_Static_assert(PORT_MAX_QUEUES <= 32, "one bit per lcore");

struct lcore_mesh {
	unsigned count;
	struct rss rss;
	struct mesh_lcore lcores[PORT_MAX_QUEUES];
	struct mesh_ring *rings[]; /* [from * count + to]; NULL where they are one */
};

int lcore_mesh_new(unsigned count, const uint8_t rss_key[RSS_KEY_LEN], struct lcore_mesh **out)
{
	struct lcore_mesh *mesh;
	size_t size;

	if (count < 2 || count > PORT_MAX_QUEUES)
		return -EINVAL;
	size = sizeof(*mesh) + (size_t)count * count * sizeof(mesh->rings[0]);
	size = (size + 63) / 64 * 64;
	mesh = aligned_alloc(64, size);
	if (!mesh)
		return -ENOMEM;
	memset(mesh, 0, size);
	mesh->count = count;
	rss_init(&mesh->rss, rss_key);
	for (unsigned i = 0; i < count * count; i++) {
		struct mesh_ring *ring;

		if (i / count == i % count)
			continue;
		ring = aligned_alloc(64, (sizeof(*ring) + 63) / 64 * 64);
		if (!ring) {
			lcore_mesh_free(mesh);
			return -ENOMEM;
		}
		spsc_init(&ring->spsc, ring->items, sizeof(ring->items[0]), LCORE_MESH_RING);
		mesh->rings[i] = ring;
	}
	*out = mesh;
	return 0;
}

/* Segments that were passed and never taken go back to their pool. */
static void drain(struct mesh_ring *ring)
{
	const struct lcore_item *item;

	while ((item = spsc_peek(&ring->spsc))) {
		if (item->kind == LCORE_SEGMENT)
			pkt_free(item->pkt);
		spsc_pop(&ring->spsc);
	}
}

void lcore_mesh_free(struct lcore_mesh *mesh)
{
	if (!mesh)
		return;
	for (unsigned i = 0; i < mesh->count * mesh->count; i++) {
		if (mesh->rings[i])
			drain(mesh->rings[i]);
		free(mesh->rings[i]);
	}
	free(mesh);
}

void lcore_mesh_set_bell(struct lcore_mesh *mesh, unsigned lcore, struct doorbell *bell)
{
	mesh->lcores[lcore].bell = bell;
}

unsigned lcore_mesh_owner(const struct lcore_mesh *mesh, const struct ip_addr *peer,
	uint16_t peer_port, const struct ip_addr *local, uint16_t local_port)
{
	uint32_t hash = rss_hash(&mesh->rss, peer, peer_port, local, local_port);

	return (unsigned)((uint64_t)hash * mesh->count >> 32);
}

bool lcore_mesh_pass(
	struct lcore_mesh *mesh, unsigned from, unsigned to, const struct lcore_item *item)
{
	struct spsc *spsc = &mesh->rings[from * mesh->count + to]->spsc;
	struct lcore_item *slot = spsc_reserve(spsc);

	mesh->lcores[from].passed |= UINT32_C(1) << to;
	if (!slot)
		return false;
	*slot = *item;
	spsc_commit(spsc);
	return true;
}

void lcore_mesh_ring(struct lcore_mesh *mesh, unsigned from)
{
	uint32_t passed = mesh->lcores[from].passed;

	mesh->lcores[from].passed = 0;
	for (unsigned to = 0; passed; to++, passed >>= 1) {
		if (passed & 1 && mesh->lcores[to].bell)
			doorbell_ring(mesh->lcores[to].bell);
	}
}

bool lcore_mesh_take(struct lcore_mesh *mesh, unsigned to, struct lcore_item *item)
{
	struct mesh_lcore *self = &mesh->lcores[to];

	for (unsigned i = 0; i < mesh->count; i++) {
		unsigned from = (self->next + i) % mesh->count;
		const struct lcore_item *slot;

		if (from == to)
			continue;
		slot = spsc_peek(&mesh->rings[from * mesh->count + to]->spsc);
		if (!slot)
			continue;
		*item = *slot;
		spsc_pop(&mesh->rings[from * mesh->count + to]->spsc);
		self->next = from + 1;
		return true;
	}
	return false;
}

bool lcore_mesh_waiting(struct lcore_mesh *mesh, unsigned to)
{
	for (unsigned from = 0; from < mesh->count; from++) {
		if (from != to && spsc_peek(&mesh->rings[from * mesh->count + to]->spsc))
			return true;
	}
	return false;
}
