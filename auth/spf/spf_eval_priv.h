#pragma once

#include "auth/dns/dns.h"
#include "auth/spf/spf.h"
#include "auth/spf/spf_record.h"

/*
 * The state of one evaluation, which all units of it share, and how a unit ends it or takes it on.
 */

/* Bounds of the memory, whatever the limits say. */
#define SPF_MAX_DEPTH 16
#define SPF_MAX_NAMES 32

struct spf_frame {
	const struct spf_record *record; /* NULL until its answer is in */
	struct bytes domain;
	uint16_t term;
	bool redirected;
};

enum spf_stage { SPF_STAGE_TERMS, SPF_STAGE_EXPLAIN_NAME, SPF_STAGE_EXPLAIN_TEXT, SPF_STAGE_DONE };

enum spf_wait {
	SPF_WAIT_NOTHING,
	SPF_WAIT_RECORD,
	SPF_WAIT_ADDRESS,
	SPF_WAIT_EXISTS,
	SPF_WAIT_MX,
	SPF_WAIT_MX_ADDRESSES,
	SPF_WAIT_PTR,
	SPF_WAIT_PTR_ADDRESSES,
	SPF_WAIT_EXPLANATION,
};

/* Address look-ups that follow an MX or a PTR answer, all asked at once. */
struct spf_batch {
	unsigned n, open;
	bool failed, found;
	struct bytes names[SPF_MAX_NAMES];
	bool valid[SPF_MAX_NAMES]; /* PTR: the name leads back to the client */
};

struct spf_eval {
	struct arena *arena;
	struct dns_asks *asks;
	struct spf_limits limits;
	struct spf_input input;
	enum spf_stage stage;
	enum spf_wait wait;
	uint32_t serial; /* of the step whose answers are wanted */
	unsigned lookups, voids, depth;
	struct spf_frame frames[SPF_MAX_DEPTH];
	struct spf_batch mx, ptr;
	bool ptr_known, ptr_void;
	struct bytes explanation_text; /* before expansion */
	enum auth_result result;
	struct bytes reason, explanation;
};

/* The record that is being evaluated. */
struct spf_frame *spf_eval_top(struct spf_eval *eval);
void spf_eval_finish(struct spf_eval *eval, enum auth_result result, struct bytes reason);
void spf_eval_permerror(struct spf_eval *eval, const char *reason);
void spf_eval_temperror(struct spf_eval *eval, const struct dns_answer *answer);
/* The term at hand matches, or the next one is met. */
void spf_eval_decide(struct spf_eval *eval, bool match);
/* On to the record of `domain`, for an include or in place of the top record. */
void spf_eval_enter(struct spf_eval *eval, struct bytes domain, bool redirected);
/* An answer that the current step waits for; `index` is that of its question within the step. */
void spf_eval_answered(struct spf_eval *eval, unsigned index, const struct dns_answer *answer);
