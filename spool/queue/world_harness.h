/*
 * For tests of delivery: a spool on a simulated disk, delivery, and the servers that it talks to,
 * all run step by step.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/testing.h"
#include "spool/log/log_sim.h"
#include "spool/queue/delivery.h"
#include "spool/queue/fake_lmtp.h"

#define WORLD_PATIENCE_US 20000000u

struct world {
	struct log_sim *sim;
	struct spool_log *log;
	struct delivery *delivery;
	struct fake_lmtp *server;
	struct chunk_pool pool;
	struct log_ring events;
	char path[64], address[80];
	uint64_t next_id;
	unsigned done, held, dead, released, asked;
	unsigned refuse; /* so many mails of delivery's own fail in the log */
	struct fake_lmtp *relay_server;
	char url[64];
	uint32_t expire_s;
	pthread_t relay_thread;
	_Atomic bool relay_stop;
	const char *relay; /* URL */
	uint32_t dead_keep_s;
	uint32_t warn_s, digest_s;
	uint8_t notify; /* of every recipient that is submitted */
	const char *orcpt, *envid;
};

extern struct world world;

/* Begins with a server of those abilities, and a relay at that URL or none. */
void world_begin_with(bool chunking, bool pipelining, const char *relay);
void world_begin(bool chunking, bool pipelining);
/* With a relay that is run too. */
void world_begin_relay(void);
void world_end(void);
/* The daemon stops, and starts again with what `world` says. */
void world_close(void);
void world_open(void);

void world_step(void);
/* The log is told what delivery has to tell, and syncs. */
void world_take_notes(void);

/* Runs until it is true, or for too long. */
#define RUN_UNTIL(condition)                                                                       \
	do {                                                                                       \
		uint64_t until_ = clock_mono_us() + WORLD_PATIENCE_US;                             \
		while (!(condition)) {                                                             \
			if (clock_mono_us() > until_)                                              \
				fail_msg("never: %s", #condition);                                 \
			world_step();                                                              \
		}                                                                                  \
	} while (0)

/* `to`: addresses separated by blanks; those with a '!' in front get the Junk copy. */
uint64_t world_submit_from(const char *from, const char *to, struct bytes body, uint32_t flags);
uint64_t world_submit_flags(const char *to, struct bytes body, uint32_t flags);
uint64_t world_submit_authentic(const char *from, const char *to);
uint64_t world_submit(const char *to);

/* -1: not in the queue. */
int world_state_of(uint64_t queue_id);
uint64_t world_count_of(const struct counter_block *block, const char *name);
/* Of delivery's own. */
uint64_t world_count(const char *name);
/* Whether a line that has not been looked at holds the text. */
bool world_logged(const char *text);
