#pragma once

#include "auth/dns/dns.h"
#include "auth/result.h"
#include "base/bytes.h"

struct arena;

/*
 * DMARC (RFC 9989): policy discovery by the tree walk, and alignment, as a state machine on
 * dns_ask().
 */

/* For struct dns_parsers: the records at a _dmarc name. */
extern const struct dns_parser dmarc_record_parser;

enum dmarc_policy {
	DMARC_POLICY_ABSENT,
	DMARC_POLICY_NONE,
	DMARC_POLICY_QUARANTINE,
	DMARC_POLICY_REJECT
};
/* "none", "quarantine", "reject"; NULL where absent. */
const char *dmarc_policy_word(enum dmarc_policy policy);

struct dmarc_identifier {
	struct bytes domain; /* lower case A-labels */
	bool spf;            /* from SPF; otherwise a DKIM d= */
	bool temporary;      /* its check failed for now: it may yet turn out to be authenticated */
};
#define DMARC_MAX_IDENTIFIERS 16

struct dmarc_eval;

/* Starts discovery for the author domain at once. NULL when the arena is at its bound. */
struct dmarc_eval *dmarc_eval_new(
	struct arena *arena, struct dns_asks *asks, struct bytes author_domain);
/*
 * The identifiers that passed or may yet pass, once SPF and DKIM are done; their bytes must last.
 * Where nothing that passed aligns but something temporary would, the result is temperror, not
 * fail. More than DMARC_MAX_IDENTIFIERS are not looked at.
 */
void dmarc_eval_identifiers(
	struct dmarc_eval *eval, const struct dmarc_identifier *ids, unsigned n);
bool dmarc_eval_done(const struct dmarc_eval *eval);
enum auth_result dmarc_eval_result(const struct dmarc_eval *eval);
/* The policy that applies (p, sp or np chosen, t=y stepped down). */
enum dmarc_policy dmarc_eval_policy(const struct dmarc_eval *eval);
/* Organizational domain of the author domain; empty before discovery is done. */
struct bytes dmarc_eval_org_domain(const struct dmarc_eval *eval);
const char *dmarc_eval_reason(const struct dmarc_eval *eval);
