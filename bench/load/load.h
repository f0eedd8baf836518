/*
 * The generator: sessions over a transport, in a closed loop. First the sessions that are only
 * held, then those that send mail; each connection that ends is followed by another until the time
 * or the number of mails is reached. One thread.
 */
#pragma once

#include "bench/load/load_mails.h"
#include "bench/load/load_options.h"
#include "bench/load/load_stats.h"
#include "bench/load/transport.h"

#include <signal.h>

struct load;

/* 0 or -errno with the reason. What is given outlives it. */
int load_new(const struct load_options *options, const struct load_mails *mails,
	struct transport *transport, struct load **out, struct text *why);
/* Runs to its end, or until `*stop` is set. Progress goes to `progress`, which may be NULL. */
void load_run(struct load *load, const volatile sig_atomic_t *stop, FILE *progress);
const struct load_stats *load_stats_of(const struct load *load);
void load_free(struct load *load);
