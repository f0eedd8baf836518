#pragma once

#include "auth/crypto/crypto.h"
#include "auth/dns/dns.h"
#include "auth/message/fields.h"
#include "auth/result.h"

struct arena;

/*
 * DKIM verification (RFC 6376, 8301, 8463, 8616) in step with the message: header fields and body
 * ranges go in as they arrive; keys are asked for as soon as a DKIM-Signature field is complete;
 * hashing and signatures run as jobs of a crypto queue.
 */

/* For struct dns_parsers: the keys at a selector's name. */
extern const struct dns_parser dkim_key_parser;

struct dkim_limits {
	unsigned signatures;   /* evaluated; those past it are AUTH_POLICY (those that may align go
				  first) */
	unsigned header_bytes; /* hashed for one signature */
	unsigned min_rsa_bits; /* 1024 (RFC 8301) */
	uint32_t clock_skew_s;
	bool body_tail; /* accept l= with an unsigned tail as pass (default no: AUTH_POLICY) */
};
extern const struct dkim_limits dkim_limits_default;

struct dkim_result {
	enum auth_result result;
	struct bytes domain, selector, algorithm, identity; /* d= s= a= i=; empty where missing */
	unsigned key_bits;
	const char *reason; /* a stable token or phrase; NULL on pass */
	struct bytes b;     /* first octets of b=, for header.b (RFC 6008) */
	bool testing;       /* t=y of the key */
	uint64_t asked_us, hashed_us, verified_us;
	unsigned batch; /* signatures verified side by side with it; 0: it was not */
};

struct dkim_verifier;

/* DKIM-Signature fields that are reported; more are counted. */
#define DKIM_MAX_SIGNATURES 64

/* NULL when the arena is at its bound. `now_unix_s` judges x= and t=. */
struct dkim_verifier *dkim_verifier_new(struct arena *arena, struct dns_asks *asks,
	struct crypto_queue *queue, const struct dkim_limits *limits, uint64_t now_unix_s);
/* Every field, top to bottom; its bytes must last as long as the verifier. */
void dkim_verifier_field(struct dkim_verifier *verifier, const struct field *field);
/* The header section is complete: signatures are chosen, body hashing set up, header hashes
 * computed. */
void dkim_verifier_header_end(struct dkim_verifier *verifier);
/*
 * A run of body octets as received (dot-unstuffed). They must stay until the crypto queue has run.
 */
void dkim_verifier_body(struct dkim_verifier *verifier, struct bytes bytes);
void dkim_verifier_body_end(struct dkim_verifier *verifier);
/* Every result is final. */
bool dkim_verifier_done(const struct dkim_verifier *verifier);
/* At any point: takes its jobs back from the queue. The memory is the arena's. */
void dkim_verifier_fini(struct dkim_verifier *verifier);
/* DKIM-Signature fields seen, and those of them with a result (the first DKIM_MAX_SIGNATURES). */
unsigned dkim_verifier_fields(const struct dkim_verifier *verifier);
unsigned dkim_verifier_count(const struct dkim_verifier *verifier);
const struct dkim_result *dkim_verifier_result(
	const struct dkim_verifier *verifier, unsigned index);

/* For ARC, which signs with the same fields and bodies: shared, so that nothing is hashed twice. */
struct dkim_header;
struct dkim_body;
struct dkim_header *dkim_verifier_header(struct dkim_verifier *verifier);
struct dkim_body *dkim_verifier_bodies(struct dkim_verifier *verifier);
