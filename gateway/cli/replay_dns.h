/*
 * The DNS answers that were kept with a mail, in its trace (auth/trace.h). One that the trace has
 * no room for, or only a part of, counts as not kept.
 */
#pragma once

#include "auth/dns/dns.h"

struct replay_dns {
	unsigned kept, missing; /* questions that it had an answer to, and those it had none to */
	unsigned n;
	struct replay_dns_answer {
		struct bytes type, name;
		struct cursor fields; /* of the answer, behind its question's number */
		bool answered;
	} of[DNS_ASKS_MAX]; /* by the question's number */
};

/* The trace is borrowed. What is no trace holds no answers. */
void replay_dns_open(struct replay_dns *dns, struct bytes trace);
/* The answer, held for the caller; NULL: it was not kept. `arg` is a struct replay_dns. */
const struct dns_answer *replay_dns_answer(void *arg, const struct dns_question *question);
