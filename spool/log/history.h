/*
 * For tests: a log that is worked with at random, and a model of what it must hold. What was
 * acknowledged must come back whole, what was refused or done must not.
 */
#pragma once

#include "spool/log/spool_log.h"

#define HISTORY_MAILS 4096u

enum history_fate {
	HISTORY_NONE,
	HISTORY_OPEN,    /* appended, or perhaps: no answer yet */
	HISTORY_ACKED,   /* 250 */
	HISTORY_REFUSED, /* 451 */
	HISTORY_DONE,    /* 250, and every recipient done; maybe not yet durable */
};

struct history_mail {
	enum history_fate fate;
	uint32_t octets;
	uint16_t n_recipients, n_done;
	bool settled;      /* a sync went well since it was refused or done */
	uint16_t n_surely; /* of n_done, before the last sync that went well */
	enum spool_shelf shelf;
	unsigned shelves; /* a bit for each it may come back on */
	struct spool_item *item;
};

struct history {
	struct spool_log *log;
	struct chunk_pool *pool;
	uint64_t random;
	uint64_t max_octets; /* of a mail's content */
	uint32_t n_mails;
	uint64_t good_syncs;
	struct history_mail mails[HISTORY_MAILS];
};

/* `pool` is borrowed. */
void history_init(struct history *h, struct chunk_pool *pool, uint64_t seed, uint64_t max_octets);
void history_fini(struct history *h);

/* One of: a mail, small or large; one that comes to nothing; a done or held note; a sync; the
 * filler; tidying. */
void history_step(struct history *h);
/* A mail of that size; `ahead` octets of it as extents. Returns spool_log_commit()'s result. */
int history_commit(struct history *h, uint32_t octets, uint32_t ahead);
void history_sync(struct history *h);
/* One of the log's counters. */
uint64_t history_counter(const struct spool_log *log, const char *name);
void history_done(struct history *h, uint32_t mail);

/* The log closes (or its disk is gone): gives items back, forgets what had no answer. */
void history_close(struct history *h);
/* After opening: takes what was recovered and compares it with the model; asserts. */
void history_check_recovered(struct history *h, struct spool_log *log);
/* Reads every mail the model has and compares; asserts. */
void history_check_views(struct history *h);
