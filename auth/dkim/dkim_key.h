#pragma once

#include "auth/crypto/crypto.h"
#include "auth/dns/dns.h"

/* Key records (RFC 6376 §3.6.1, RFC 8463), parsed once and kept by the record cache. */

/* Records at one name that are looked at; more are ignored. */
#define DKIM_KEYS_MAX 4

#define DKIM_KEY_STATUSES(X)                                                                       \
	X(OK, NULL)                                                                                \
	X(NOT_DKIM, "no_key") /* another version, or something else altogether */                  \
	X(SYNTAX, "key_syntax")                                                                    \
	X(REVOKED, "key_revoked")                                                                  \
	X(ALGORITHM, "key_algorithm_unknown") /* k= */                                             \
	X(MALFORMED, "key_malformed")         /* p= */                                             \
	X(TOO_LARGE, "key_too_large")                                                              \
	X(NO_MEMORY, "no_memory")

enum dkim_key_status {
#define X(name, token) DKIM_KEY_##name,
	DKIM_KEY_STATUSES(X)
#undef X
		DKIM_KEY_STATUS_COUNT
};

struct dkim_key {
	enum dkim_key_status status;
	struct pubkey *pubkey; /* where OK */
	bool allows_sha256;    /* h= */
	bool allows_email;     /* s= */
	bool testing;          /* t=y */
	bool strict;           /* t=s */
};

/* What the cache keeps: dns_answer.parsed for DNS_USE_DKIM. */
struct dkim_keys {
	unsigned n;
	struct dkim_key key[DKIM_KEYS_MAX];
};

/* The token of a status, e.g. "key_revoked"; NULL for OK. */
const char *dkim_key_token(enum dkim_key_status status);

void dkim_key_parse(struct bytes record, struct dkim_key *key);
void dkim_key_fini(struct dkim_key *key);
