#pragma once

#include "auth/dns/dns.h"

/*
 * What a DNS message says to a question (RFC 1035 §4.1). The message is hostile: every length is
 * checked, and one that does not hold together is DNS_SERVFAIL.
 */

#define DNS_PACKET_MAX 65535

/* Where records, names and texts lie until dns_answer_new() has copied them. */
struct dns_packet_scratch {
	struct dns_record records[DNS_ANSWER_MAX_RECORDS];
	uint8_t octets[DNS_PACKET_MAX];
	size_t used;
};

/*
 * Fills outcome, ttl_s, n and records. CNAMEs are followed within the message; records of other
 * names and types are passed over, as are MX and PTR names that have no text (dns_name_to_text). A
 * negative answer takes its TTL from the SOA (RFC 2308 §5), 0 without one. false: the message was
 * not well formed (or truncated); the outcome is DNS_SERVFAIL then.
 */
bool dns_packet_parse(struct bytes packet, const struct dns_question *question,
	struct dns_packet_scratch *scratch, struct dns_answer *answer);
