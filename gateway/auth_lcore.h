#pragma once

#include "base/clock.h"
#include "base/counters.h"
#include "gateway/asker.h"
#include "gateway/auth_pair.h"
#include "gateway/control/config.h"

#include <pthread.h>

/*
 * An auth lcore (DESIGN §3): verifies mails of all io lcores, so that their signatures meet in its
 * batches. It borrows ranges of content and hands out verdicts; it never touches a connection. All
 * of it belongs to one thread, but what is marked.
 */

#define AUTH_LCORE_MAX_IO 16

/* X(id, name, help) */
#define AUTH_LCORE_COUNTERS(X)                                                                     \
	X(AUTH_LCORE_BEGUN, "begun", "mails taken to be verified")                                 \
	X(AUTH_LCORE_OCTETS, "octets", "octets of content taken")                                  \
	X(AUTH_LCORE_RANGES, "ranges", "ranges they came in")                                      \
	X(AUTH_LCORE_VERDICTS, "verdicts", "verdicts given")                                       \
	X(AUTH_LCORE_REFUSED, "refused", "mails whose content could not be verified")              \
	X(AUTH_LCORE_ABORTED, "aborted", "mails given up before their verdict")                    \
	X(AUTH_LCORE_QUESTIONS, "questions", "questions sent to the resolver")                     \
	X(AUTH_LCORE_POLLS, "polls", "poll rounds")                                                \
	X(AUTH_LCORE_SLEEPS, "sleeps", "times it went to sleep")

enum auth_lcore_counter {
#define X(id, name, help) id,
	AUTH_LCORE_COUNTERS(X)
#undef X
		AUTH_LCORE_COUNTER_COUNT
};

#define AUTH_LCORE_NAME_MAX 32

/* One mail, by its slot at the io lcore. */
enum auth_job_state {
	AUTH_JOB_NONE,
	AUTH_JOB_OPEN,    /* being verified */
	AUTH_JOB_TOLD,    /* decided: the io lcore's */
	AUTH_JOB_REFUSED, /* given up here; the io lcore has yet to say so too */
};

struct auth_job {
	struct auth_mail *mail; /* while open or told */
	enum auth_job_state state;
	uint32_t slot, generation;
	struct auth_pair *pair;
};

struct auth_lcore {
	unsigned index;
	struct auth_engine *engine;
	struct asker asker;
	struct {
		struct auth_pair *pair;
		struct auth_job *jobs; /* by slot */
		unsigned n_jobs;
	} io[AUTH_LCORE_MAX_IO];
	unsigned n_io;
	struct clock_fast clock;
	uint64_t now_us;
	unsigned idle_rounds;
	struct doorbell bell;
	_Atomic bool busy; /* any thread: never sleep (`lcores.poll`) */
	_Atomic bool stop; /* any thread: end; the io lcores have ended */
	pthread_t thread;
	/* A set of its own, so that each lcore is seen by itself. */
	counter counts[AUTH_LCORE_COUNTER_COUNT];
	struct counter_block block;
	struct counters_set set;
	struct counters_entry entries[AUTH_LCORE_COUNTER_COUNT];
	char names[AUTH_LCORE_COUNTER_COUNT + 1][AUTH_LCORE_NAME_MAX];
};

/* What all the rings of auth lcores take of DPDK's memory: it comes on top of `lcores.memory`. */
static inline size_t auth_lcore_rings_octets(const struct config *config)
{
	return config->lcores.auth *
	       (asker_octets() + config->lcores.io * auth_pair_octets(config->limits.mails));
}

/*
 * The engine's and the asker's memory is added by the caller, and pairs by auth_lcore_add(), before
 * it runs. 0 or -errno.
 */
int auth_lcore_new(unsigned index, struct auth_lcore **out);
/* The thread has ended. Frees engine and asker too; pairs are the io lcores'. */
void auth_lcore_free(struct auth_lcore *lcore);
/* An io lcore with `slots` slots. 0 or -ENOMEM. */
int auth_lcore_add(struct auth_lcore *lcore, struct auth_pair *pair, unsigned slots);

/* One poll round at the time `now_us`. Returns how much there was to do. */
unsigned auth_lcore_round(struct auth_lcore *lcore, uint64_t now_us);
/* Any thread: from now on it never sleeps, or does when there is nothing to do. */
void auth_lcore_set_busy(struct auth_lcore *lcore, bool busy);

/* The thread main, with a struct auth_lcore. */
void *auth_lcore_main(void *arg);
