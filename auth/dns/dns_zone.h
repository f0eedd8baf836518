#pragma once

#include "auth/dns/dns.h"

/*
 * A master file that answers instead of the network (`--zone FILE`, `dns.zone`): RFC 1035 lines
 * with absolute owner names, plus `NAME TTL IN SERVFAIL TYPE` and `NAME TTL IN TIMEOUT TYPE`
 * (DESIGN §6). Wildcards and CNAMEs are followed.
 */
struct dns_zone;

#define DNS_ZONE_MAX_BYTES (64u << 20)
#define DNS_ZONE_LINE_MAX  65536u /* octets of one entry, its continuation lines joined */

/*
 * 0 or -errno (-EINVAL: a line of it); `why` names file, line and reason. Names are absolute with
 * or without the final dot; `$TTL` is known, `$ORIGIN` and `$INCLUDE` are refused. Equal records
 * are kept, not folded into one.
 */
int dns_zone_load(const char *path, struct dns_zone **out, struct text *why);
/* The same from memory; `file` is for the messages. */
int dns_zone_parse(struct bytes content, const char *file, struct dns_zone **out, struct text *why);
void dns_zone_free(struct dns_zone *zone);

/* A new answer, held once for the caller, parsed for the question's use; NULL when memory is out.
 */
const struct dns_answer *dns_zone_answer(const struct dns_zone *zone,
	const struct dns_parsers *parsers, const struct dns_question *question);
