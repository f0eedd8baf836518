#pragma once

#include "auth/dmarc/dmarc_record.h"
#include "auth/dns/dns.h"

#include <stdbool.h>

/*
 * The DNS Tree Walk (RFC 9989 §4.10): the names from a domain up to its top-level domain that may
 * carry a DMARC record. All are asked at once, since there are few of them; what lies above the end
 * of the walk is not looked at.
 */
#define DMARC_WALK_MAX 8

struct dmarc_walk {
	unsigned n;                                        /* names */
	unsigned open;                                     /* asked and not yet answered */
	struct bytes domain[DMARC_WALK_MAX];               /* without _dmarc, the start first */
	const struct dmarc_record *record[DMARC_WALK_MAX]; /* NULL where there is none */
	bool known[DMARC_WALK_MAX];                        /* not to be asked for */
	bool failed[DMARC_WALK_MAX];                       /* no answer for now */
	bool several;                                      /* records of some name were discarded */
};

/* The names for `domain`: itself, then its parents of at most 7 labels. */
void dmarc_walk_init(struct dmarc_walk *walk, struct bytes domain);
/* Takes over what a walk that is done has found at names that both meet. */
void dmarc_walk_share(struct dmarc_walk *walk, const struct dmarc_walk *done);
/* Asks for what is not known; the tag of name i is tag + i. False where no more questions can be
 * asked. */
bool dmarc_walk_ask(struct dmarc_walk *walk, struct dns_asks *asks, dns_answered_fn answered,
	void *owner, uint32_t tag);
void dmarc_walk_answer(struct dmarc_walk *walk, unsigned index, const struct dns_answer *answer);

/* Where the walk ends: the index of the first record with psd=y or psd=n, or the last name. */
unsigned dmarc_walk_end(const struct dmarc_walk *walk);
/* Whether a name up to the end has no answer for now: then nothing that follows is certain. */
bool dmarc_walk_failed(const struct dmarc_walk *walk);
/* The Organizational Domain (§4.10.2). */
struct bytes dmarc_walk_org(const struct dmarc_walk *walk);
/* The widest domain that may turn out to be it once what failed is known. */
struct bytes dmarc_walk_widest(const struct dmarc_walk *walk);
/* The record found at `domain`, NULL if none. */
const struct dmarc_record *dmarc_walk_record_at(const struct dmarc_walk *walk, struct bytes domain);

/* `name` ends in `domain`, with labels before it. */
bool dmarc_walk_is_below(struct bytes name, struct bytes domain);
