#pragma once

#include "auth/dkim/dkim_sig.h"
#include "auth/message/fields.h"

struct arena;

/* The ARC sets of one header section, and whether they form a chain (RFC 8617 §4.2, §5.2 steps 1 to
 * 3). */

#define ARC_MAX_SETS 50 /* RFC 8617 §4.2.1 */

enum arc_part { ARC_AAR, ARC_AMS, ARC_AS, ARC_PARTS };

struct arc_set {
	struct bytes aar; /* the field */
	const struct dkim_sig *ams, *as;
};

struct arc_chain {
	struct arena *arena;
	unsigned n_fields[ARC_PARTS];     /* seen, good or not */
	const char *wrong;                /* first reason why it is no chain */
	unsigned length;                  /* highest instance */
	struct arc_set set[ARC_MAX_SETS]; /* by instance - 1 */
};

void arc_chain_init(struct arc_chain *chain, struct arena *arena);
/* Fields of other names are ignored. Returns the signature of an AMS or AS that was taken, or NULL.
 */
const struct dkim_sig *arc_chain_add(struct arc_chain *chain, const struct field *field);
static inline bool arc_chain_is_empty(const struct arc_chain *chain)
{
	return !(chain->n_fields[ARC_AAR] | chain->n_fields[ARC_AMS] | chain->n_fields[ARC_AS]);
}
/* NULL, or why it is no chain: a stable token. */
const char *arc_chain_check(const struct arc_chain *chain);
