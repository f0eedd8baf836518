#pragma once

#include "auth/crypto/crypto.h"
#include "auth/dkim/dkim_canon.h"
#include "auth/message/fields.h"

struct arena;

/*
 * A signature field, read and judged by itself: DKIM-Signature (RFC 6376 §3.5), and its two
 * relatives of ARC (RFC 8617 §4.1.2, §4.1.3).
 */
enum dkim_sig_kind { DKIM_SIG_DKIM, DKIM_SIG_AMS, DKIM_SIG_AS };

/* Names in h=, counting repeated ones. */
#define DKIM_SIG_NAMES_MAX 512
/* Octets of b=; RSA-4096 has 512. */
#define DKIM_SIG_OCTETS_MAX 512

#define DKIM_SIG_NO_LENGTH UINT64_MAX

struct dkim_sig {
	enum dkim_sig_kind kind;
	enum pubkey_algorithm algorithm;
	bool sha1; /* rsa-sha1: read, never accepted (RFC 8301) */
	enum dkim_canon header, body;
	struct bytes domain, selector; /* A-labels, lower case */
	struct bytes identity;         /* i=, decoded; empty where absent */
	bool subdomain;                /* the domain of i= is below d= */
	struct bytes names;            /* h= */
	struct bytes raw;              /* the field */
	struct bytes cut;              /* of raw: the value of b= */
	struct bytes signature;
	struct bytes b; /* b= as it stands */
	struct bytes a; /* a= as it stands */
	uint8_t body_hash[32];
	uint64_t body_length; /* l=, or DKIM_SIG_NO_LENGTH */
	bool has_expiry, has_time;
	uint64_t expires_s, signed_s;
	struct bytes cv;   /* AS */
	unsigned instance; /* AMS, AS; 1 to 50 */
};

/*
 * NULL, or the reason why it is no signature: a stable token. What could be read (d=, s=, a=, i=,
 * b=) is set in any case. Decoded octets are taken from the arena.
 */
const char *dkim_sig_parse(struct dkim_sig *sig, enum dkim_sig_kind kind, const struct field *field,
	struct arena *arena);
