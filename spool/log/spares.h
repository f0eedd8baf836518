/*
 * Segments made ready ahead, and the space there is. One spare is the reserve: notes and commits
 * may take it, but what would need it is no longer accepted, so that what ends mails, and thereby
 * frees space, always finds room.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "spool/log/log_io.h"

#define SPARES_READY 3u /* the filler keeps that many, the reserve included */
#define SPARES_MAX   8u /* more are given back to the file system */

struct spares {
	const struct spool_log_io *io;
	int dir;
	uint64_t segment_bytes, max_bytes;
	pthread_mutex_t making; /* one at a time: the filler, or the spooler that ran out */
	uint8_t *zeros;         /* under `making` */
	size_t zeros_octets;
	pthread_mutex_t lock; /* of all below but the atomics */
	uint64_t numbers[SPARES_MAX];
	unsigned count;
	uint64_t next_number;
	uint64_t space; /* what the file system had last */
	uint64_t looked_us;
	uint64_t segments;      /* in the log */
	uint64_t active_octets; /* left in the one being written */
	_Atomic uint64_t room;  /* octets that can be accepted */
	_Atomic uint64_t reserved;
};

/* 0 or -ENOMEM. */
int spares_init(struct spares *s, const struct spool_log_io *io, int dir, uint64_t segment_bytes,
	uint64_t max_bytes);
void spares_fini(struct spares *s);
/* Any thread: ask the file system for its space again. */
void spares_look(struct spares *s);
/* A spare found at start. */
void spares_found(struct spares *s, uint64_t number);
/* Any thread: makes one if fewer than SPARES_READY stand and there is space. True if it did. */
bool spares_make(struct spares *s);
/*
 * Takes one and gives it that name, synced; makes one if none stands. `reserve`: the last may be
 * taken. 0, -ENOSPC, or what the file system said.
 */
int spares_take(struct spares *s, const char *name, bool reserve);
/* The file is no longer needed: it becomes a spare or goes. 0 or -errno; synced. */
int spares_recycle(struct spares *s, const char *name);
/* How much the log itself has: counts toward the room. */
void spares_account(struct spares *s, uint64_t segments, uint64_t active_octets);

/* Any thread, no lock. */
bool spares_reserve(struct spares *s, uint64_t octets);
void spares_unreserve(struct spares *s, uint64_t octets);
