#pragma once

#include "auth/pipeline.h"

/*
 * Answers for the questions of an engine that runs in the tool: from a master file, or from the
 * network through the same resolver that the daemon has.
 */
struct verify_dns;

struct config;

/*
 * `zone` NULL: as `config` has it, and where that is NULL too, the network without a forwarder. 0
 * or -errno with the reason in `why`.
 */
int verify_dns_new(
	const char *zone, const struct config *config, struct verify_dns **out, struct text *why);
void verify_dns_free(struct verify_dns *dns);

/*
 * Brings what the engine asks to where it is answered, and answers back. Where nothing has come and
 * `wait` is set, waits a while for it.
 */
void verify_dns_serve(struct verify_dns *dns, struct auth_engine *engine, bool wait);

/*
 * From now on answers that `kept` has (held for us; NULL: none) come before those of zone and
 * network.
 */
typedef const struct dns_answer *(*verify_dns_kept_fn)(
	void *arg, const struct dns_question *question);
void verify_dns_prefer(struct verify_dns *dns, verify_dns_kept_fn kept, void *arg);

/* One question by itself; waits for its answer, which is held for the caller. */
const struct dns_answer *verify_dns_ask(
	struct verify_dns *dns, const struct dns_question *question);
