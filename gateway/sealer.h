#pragma once

#include "auth/arc/arc_seal.h"
#include "auth/dkim/dkim_sign.h"
#include "base/counters.h"
#include "base/doorbell.h"
#include "gateway/control/config.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * The thread that signs ARC sets. Two operations with a private RSA key of 2048 bits take some
 * 600 us, as much as forty other mails may cost an io lcore; so the lcore only gathers what is to
 * be signed (arc_seal_prepare()), and an accepted mail passes through this thread on its way to the
 * spooler. Nobody waits for it but the sender of that mail. The fields are in the commit record, so
 * a mail carries the same seal however often its delivery is tried.
 */
#define SEALER_COUNTERS(X)                                                                         \
	X(SEALER_SEALED, "sealer_sealed", "mails sealed with ARC")                                 \
	X(SEALER_FAILED, "sealer_failed", "mails that went on unsealed: signing failed")
COUNTERS_DECLARE(sealer, SEALER_COUNTERS)

struct worker;

struct sealer_thread {
	struct dkim_signer *signer; /* NULL: sealing is off, and the thread ends at once */
	struct arc_seal_key key;
	struct worker **workers;
	unsigned n_workers;
	struct sealer_counters counters;
	struct doorbell bell; /* made by sealer_init() */
	_Atomic bool stop;
	pthread_t thread;
};

/* Reads the key that `config` names, if any. 0 or -errno with the reason. */
int sealer_init(struct sealer_thread *sealer, const struct config *config, struct text *why);
void sealer_fini(struct sealer_thread *sealer);
void *sealer_main(void *arg);
