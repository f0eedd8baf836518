#pragma once

#include "auth/dns/dns_name.h"
#include "auth/dns/dns_zone.h"

/* What dns_zone_read.c makes of the lines of a master file and dns_zone.c answers from. */

/*
 * A name with its labels turned round, each behind its length: names below another start with its
 * key, so in the order of octets they stand right behind it. That shows empty non-terminals without
 * keeping them (RFC 4592 §2.2.2).
 */
#define DNS_ZONE_KEY_MAX (DNS_NAME_WIRE_MAX - 1)

void dns_zone_key(const struct dns_name *name, uint8_t key[DNS_ZONE_KEY_MAX], size_t *len);

enum dns_zone_kind { DNS_ZONE_RECORD, DNS_ZONE_SERVFAIL, DNS_ZONE_TIMEOUT };

struct dns_zone_entry {
	struct bytes key;
	uint16_t type;
	uint8_t kind;  /* enum dns_zone_kind */
	uint32_t line; /* of the file: keeps the order of records */
	uint32_t ttl_s;
	struct dns_record record; /* CNAME: name holds the target's key */
	uint8_t *octets;          /* owned: what key and record point into */
};

struct dns_zone {
	struct dns_zone_entry *entries; /* ordered by key, type, kind, line */
	struct dns_record *records;     /* entries[i].record, side by side */
	size_t n, room;
};

/* CNAME, which nobody asks for, and every type nobody can ask for. */
#define DNS_ZONE_TYPE_CNAME 5

/* Appends the entries of `content`, unordered. 0 or -errno with `why`. */
int dns_zone_read(struct dns_zone *zone, struct bytes content, const char *file, struct text *why);
