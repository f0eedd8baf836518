#pragma once

#include "gateway/auth_lcore.h"
#include "gateway/worker.h"

/* For tests: who verifies a fake worker's mails, without threads: itself, or auth lcores. */

struct fake_auth {
	struct auth_lcore *lcores[VERIFIER_MAX_LCORES];
	unsigned n;
	bool asleep;      /* they do not run */
	bool has_threads; /* they run by themselves */
};

extern struct fake_auth fake_auth;

void fake_auth_build(struct worker *worker, const struct config *config);
/* Threads have ended. */
void fake_auth_take_down(void);
/* One poll round of each; returns how much there was to do. */
unsigned fake_auth_round(uint64_t now_us);
/* The thread that asks, by the `lcore` of its tokens; NULL: no such. */
struct asker *fake_auth_asker(struct worker *worker, unsigned index);
/* Asserts that all mails gave back what they had. */
void fake_auth_nothing_is_left(const struct worker *worker);
