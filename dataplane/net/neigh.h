/*
 * The neighbour cache: which link-layer address an on-link IP address has (RFC 826, RFC 4861 §7.3).
 * One for both families, bounded, sans-I/O. What is to be asked, sent or dropped leaves through
 * three functions of its owner.
 *
 * A stranger can make us look for any on-link address, so addresses being looked for have their own
 * small bound, and whoever asked for us first (as every neighbour must that wants to talk to us) is
 * known without a question.
 */
#pragma once

#include "base/ip_addr.h"
#include "base/siphash.h"
#include "dataplane/pkt.h"

#include <stdbool.h>
#include <stdint.h>

#define NEIGH_MAX               1024 /* addresses known or looked for */
#define NEIGH_MAX_INCOMPLETE    256  /* of these looked for; the oldest gives way */
#define NEIGH_MAX_PENDING       4    /* packets that wait for one address; the oldest is dropped */
#define NEIGH_MAX_PENDING_TOTAL 256
#define NEIGH_PROBES            3 /* RFC 4861 §10: MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define NEIGH_RETRANS_US        1000000u
#define NEIGH_REACHABLE_US      30000000u
#define NEIGH_DELAY_US          5000000u
#define NEIGH_SILENT_US         1000000u /* how long a silent address is not asked for again */
#define NEIGH_TICK_US           100000u  /* time-outs are rounded up to this */

#define NEIGH_STATES(X)                                                                            \
	X(NEIGH_FREE, "free")                                                                      \
	X(NEIGH_INCOMPLETE, "incomplete") /* asked, no answer yet */                               \
	X(NEIGH_REACHABLE, "reachable")   /* answered not long ago */                              \
	X(NEIGH_STALE, "stale")           /* known; to be verified once it is used */              \
	X(NEIGH_DELAY, "delay")           /* in use; to be verified soon */                        \
	X(NEIGH_PROBE, "probe")           /* being verified by unicast */                          \
	X(NEIGH_SILENT, "silent")         /* did not answer; packets to it are dropped */

#define NEIGH_STATE_ENUM_(id, name) id,
enum neigh_state { NEIGH_STATES(NEIGH_STATE_ENUM_) NEIGH_STATE_COUNT };

enum neigh_event { NEIGH_EV_LEARNED, NEIGH_EV_FAILED, NEIGH_EV_EVICTED };
enum neigh_drop { NEIGH_DROP_FULL, NEIGH_DROP_PENDING, NEIGH_DROP_UNREACHED };

struct neigh_owner {
	/* Ask for `target`, at `mac` or of all (NULL); `pinned` targets are worth a question
	 * always. */
	void (*solicit)(void *owner, const struct ip_addr *target, const struct ip_addr *local,
		const uint8_t *mac, bool pinned, uint64_t now_us);
	void (*send)(void *owner, struct pkt *pkt, const uint8_t mac[6]);
	void (*drop)(void *owner, struct pkt *pkt, enum neigh_drop why);
	void (*event)(void *owner, enum neigh_event event);
	void *arg;
};

struct neigh_entry {
	struct ip_addr addr;
	struct ip_addr local; /* of ours, that the last question was asked from */
	uint8_t mac[6];
	uint8_t state; /* enum neigh_state */
	uint8_t probes;
	bool pinned;
	uint8_t n_pending;
	uint16_t hash_next; /* index + 1; 0 ends */
	uint16_t older, newer;
	uint64_t deadline_us; /* of what its state waits for; REACHABLE: until when */
	struct pkt *pending_head, *pending_tail;
};

#define NEIGH_BUCKETS 2048

struct neigh_cache {
	struct neigh_owner owner;
	struct siphash_key key;
	uint64_t next_tick_us; /* earliest deadline of a waiting entry, UINT64_MAX if none */
	uint16_t free, oldest, newest;
	uint16_t n_used, n_incomplete, n_pending;
	uint16_t buckets[NEIGH_BUCKETS];
	struct neigh_entry entries[NEIGH_MAX];
};

void neigh_init(struct neigh_cache *c, const struct neigh_owner *owner, const uint64_t key[2]);

/* Drop every packet that waits. */
void neigh_fini(struct neigh_cache *c);

/*
 * Send `pkt` (which starts at its IP header) from `local` to the neighbour `addr`: now, when its
 * answer comes, or never. Owns the packet. `pinned`: a gateway; it is never forgotten for others.
 */
void neigh_output(struct neigh_cache *c, struct pkt *pkt, const struct ip_addr *addr,
	const struct ip_addr *local, bool pinned, uint64_t now_us);

/* What a received packet says about a neighbour (RFC 4861 §7.2.5; ARP maps onto the same flags). */
struct neigh_news {
	const uint8_t *mac; /* NULL: not said */
	bool solicited;     /* an answer to our question */
	bool override;      /* may replace another link-layer address */
	bool create;        /* it asked for us: worth knowing even if it is new */
};

void neigh_learn(struct neigh_cache *c, const struct ip_addr *addr, const struct neigh_news *news,
	uint64_t now_us);

/* Run what is due; returns the next time, UINT64_MAX if none. */
uint64_t neigh_timers(struct neigh_cache *c, uint64_t now_us);

/* The entry of an address, NULL if none; for tests and tools. */
const struct neigh_entry *neigh_find(const struct neigh_cache *c, const struct ip_addr *addr);
const char *neigh_state_name(enum neigh_state state);
