#pragma once

#include "auth/dns/dns.h"
#include "auth/result.h"
#include "base/bytes.h"
#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The SPF record among the TXT records of a name (RFC 7208 §4.5) and its terms (§4.6.1, §5, §6),
 * parsed once on the resolver's thread and shared by all mails that meet it.
 */

/* The order is that of the names in spf_record.c. */
enum spf_mechanism {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_MECHANISM_COUNT,
};

struct spf_term {
	uint8_t mechanism;  /* enum spf_mechanism */
	uint8_t qualifier;  /* what a match means: AUTH_PASS, AUTH_FAIL, AUTH_SOFTFAIL, AUTH_NEUTRAL
			     */
	uint8_t cidr4;      /* bits, 32 where not given */
	uint8_t cidr6;      /* bits, 128 where not given; of ip6 too */
	struct ip_addr net; /* ip4, ip6 */
	struct bytes domain_spec; /* valid syntax; empty = the current domain */
	struct bytes text;        /* as it stands in the record */
};

/* More terms than that in one record are a permerror; 4,096 ip4 terms are 64 KiB of text. */
#define SPF_RECORD_MAX_TERMS 4096

enum spf_record_status {
	SPF_RECORD_NONE, /* no TXT record is an SPF record */
	SPF_RECORD_OK,
	SPF_RECORD_SEVERAL, /* more than one: permerror (§4.5) */
	SPF_RECORD_INVALID, /* a syntax error anywhere in it: permerror (§4.6) */
};

struct spf_record {
	enum spf_record_status status;
	const char *error;                  /* what is wrong with a SPF_RECORD_INVALID */
	struct bytes where;                 /* the term that is wrong */
	struct bytes redirect, explanation; /* domain-specs; absent (data NULL) where not given */
	bool bare_reject;                   /* "v=spf1 -all" and no more */
	uint32_t size;                      /* octets of the allocation */
	uint16_t n_terms;
	struct spf_term terms[];
};

/*
 * The record of the `n` TXT records (strings joined). NULL when memory is out. One allocation,
 * which holds the text too: spf_record_free() frees it.
 */
struct spf_record *spf_record_new(const struct dns_record *records, unsigned n);
void spf_record_free(const struct spf_record *record);
