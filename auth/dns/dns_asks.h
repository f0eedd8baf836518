#pragma once

#include "auth/dns/dns.h"

struct arena;

/*
 * The list behind dns_ask(): the pipeline's side of it. A question lives here from dns_ask() until
 * the mail is done, with the times for the trace.
 */
enum dns_ask_state { DNS_ASK_NEW, DNS_ASK_SENT, DNS_ASK_ANSWERED };

struct dns_ask {
	struct dns_question question;
	enum dns_ask_state state;
	dns_answered_fn answered;
	void *owner;
	uint32_t tag;
	const struct dns_answer *answer; /* held */
	uint64_t asked_us, answered_us;
	uint64_t early_us; /* asked already, when there was no mail yet; 0: no */
};

struct dns_asks {
	struct arena *arena; /* the asks lie here */
	uint16_t n, next_new;
	uint16_t open; /* sent or new, not answered */
	struct dns_ask *ask[DNS_ASKS_MAX];
};

void dns_asks_init(struct dns_asks *asks, struct arena *arena);
/* The next question that nobody has looked at yet: its index, or -1. It becomes SENT. */
int dns_asks_take(struct dns_asks *asks, uint64_t now_us);
/*
 * Deliver the answer (held here from now on) to the asker. An answer for one answered already, or
 * for an index there is not, is ignored. One that was not taken yet may be answered as well, and is
 * not taken then.
 */
void dns_asks_answer(
	struct dns_asks *asks, unsigned index, const struct dns_answer *answer, uint64_t now_us);
/* Release every held answer. */
void dns_asks_fini(struct dns_asks *asks);
