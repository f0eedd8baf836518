#pragma once

#include "auth/dns/dns.h"
#include "auth/result.h"
#include "base/bytes.h"
#include "base/ip_addr.h"

struct arena;

/*
 * SPF (RFC 7208) as a state machine that asks the DNS through dns_ask() and never waits.
 */

/* For struct dns_parsers: the parsed form of the TXT records at a name. */
extern const struct dns_parser spf_record_parser;

enum spf_scope { SPF_MFROM, SPF_HELO };

struct spf_input {
	struct ip_addr client;
	struct bytes helo;
	struct bytes local_part,
		domain; /* of the identity checked; an empty local part is "postmaster" (§4.3) */
	struct bytes receiver; /* our host name, for %{r} */
	uint64_t now_unix_s;   /* for %{t} */
};

struct spf_limits {
	unsigned lookups;             /* 10 (§4.6.4) */
	unsigned void_lookups;        /* 2 */
	unsigned mx_names, ptr_names; /* 10 */
};
extern const struct spf_limits spf_limits_default;

struct spf_eval;

/* Memory comes from the arena; NULL when it is at its bound. `input` is copied shallowly: its bytes
 * must last. */
struct spf_eval *spf_eval_new(struct arena *arena, struct dns_asks *asks,
	const struct spf_limits *limits, const struct spf_input *input);
bool spf_eval_done(const struct spf_eval *eval);
enum auth_result spf_eval_result(const struct spf_eval *eval);
/* The reason where it is permerror or temperror, or the mechanism that matched; for logs and
 * comments. */
struct bytes spf_eval_reason(const struct spf_eval *eval);
/* The exp= text on fail (§6.2), empty where there is none. */
struct bytes spf_eval_explanation(const struct spf_eval *eval);
/* Whether the domain's own record is a bare "v=spf1 -all". */
bool spf_eval_is_bare_reject(const struct spf_eval *eval);
