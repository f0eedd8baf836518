#pragma once

#include "gateway/cli/dns_check.h"

/* The parts; each looks at one kind of record of the domain. */

/* false: there is no such domain. */
bool dns_check_mx(struct dns_check *check, struct bytes domain);
void dns_check_spf(struct dns_check *check, struct bytes domain);
void dns_check_dkim(
	struct dns_check *check, struct bytes domain, const char *const *selectors, unsigned n);
void dns_check_dmarc(struct dns_check *check, struct bytes domain);
/* MTA-STS and TLS-RPT */
void dns_check_tls(struct dns_check *check, struct bytes domain);

/* --- what they share --- */

void dns_check_say(struct dns_check *check, enum dns_check_severity severity, const char *format,
	...) __attribute__((format(printf, 3, 4)));

/* The answer for PREFIX NAME, held; one of DNS_NXDOMAIN where that is no name. */
const struct dns_answer *dns_check_ask(struct dns_check *check, enum dns_type type,
	enum dns_use use, const char *prefix, struct bytes name);

/* There is no answer to go by; said to be so. */
bool dns_check_is_lost(struct dns_check *check, const struct dns_answer *answer, const char *prefix,
	struct bytes name);

/* How many TXT records begin with `version`; `*text` is the first of them. */
unsigned dns_check_find(const struct dns_answer *answer, struct bytes version, struct bytes *text);

enum dns_check_reach {
	DNS_CHECK_REACHED,
	DNS_CHECK_NO_ADDRESS,
	DNS_CHECK_PRIVATE, /* an address that nobody outside can send to */
	DNS_CHECK_LOST,    /* no answer; said to be so */
};
/* Whether a host has an address; `list` gets all, with commas between. */
enum dns_check_reach dns_check_reach(struct dns_check *check, struct bytes host, struct text *list);

/* The domain of a mailto URI (RFC 6068), without a query and the size that DMARC allows behind it;
 * false where it is none. */
bool dns_check_mailto(struct bytes uri, struct bytes *domain);
