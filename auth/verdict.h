#pragma once

#include "auth/dkim/dkim.h"
#include "auth/dmarc/dmarc.h"
#include "auth/result.h"
#include "auth/spf/spf.h"
#include "base/bytes.h"

/*
 * What auth found out about one mail: facts only. What becomes of the mail is the policy's business
 * (gateway/policy). All bytes lie in the mail's arena and are gone with it.
 */

#define AUTH_MAX_SIGNATURES 64 /* DKIM-Signature fields reported; more are counted only */

struct auth_spf {
	enum auth_result result;
	struct bytes domain;
	enum spf_scope scope;
	struct bytes explanation; /* exp= text on fail */
	struct bytes reason;
	bool bare_reject; /* the record is "v=spf1 -all" alone */
};

/* Who sealed a set, and what its results say of DMARC; as true as the sealer. */
struct auth_sealer {
	struct bytes domain;
	enum auth_result dmarc;
};

struct auth_arc {
	enum auth_result result;
	unsigned chain_length;
	const char *reason;
	struct bytes sealer;               /* d= of the newest seal */
	const struct auth_sealer *sealers; /* on pass, by instance - 1; NULL otherwise */
};

struct auth_dmarc {
	enum auth_result result;
	bool has_from_domain; /* exactly one author domain */
	unsigned from_fields, from_domains;
	struct bytes from_domain, org_domain;
	enum dmarc_policy policy;
	const char *reason;
	const char *override; /* why a fail has no consequence here (local policy); NULL: it has */
};

struct auth_verdict {
	struct auth_spf spf;  /* MAIL FROM, or HELO for the null sender */
	struct auth_spf helo; /* HELO always */
	struct {
		enum auth_result result;
		struct bytes name; /* verified host name */
	} iprev;
	unsigned n_dkim, n_dkim_fields;
	struct auth_arc arc;
	struct auth_dmarc dmarc;
	/* Some look-up failed for now, and its answer could still change the DMARC or SPF outcome.
	 */
	bool temporary;
	const char *temporary_reason;
	struct bytes authentication_results; /* the whole field, with CRLF */
	struct dkim_result dkim[AUTH_MAX_SIGNATURES]; /* the first n_dkim */
};
