#pragma once

#include "auth/dns/dns.h"

/*
 * A master file that answers instead of the network (`--zone FILE`, `dns.zone`): RFC 1035 lines with absolute
 * owner names, plus `NAME TTL IN SERVFAIL TYPE` and `NAME TTL IN TIMEOUT TYPE` (DESIGN §6). Wildcards and CNAMEs are followed.
 */
struct dns_zone;

/* 0 or -errno; `why` names file, line and reason. */
int dns_zone_load(const char *path, struct dns_zone **out, struct text *why);
void dns_zone_free(struct dns_zone *zone);

/* A new answer, held once for the caller, parsed for the question's use; NULL when memory is out. */
const struct dns_answer *dns_zone_answer(const struct dns_zone *zone, const struct dns_parsers *parsers,
	const struct dns_question *question);
