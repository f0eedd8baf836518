#pragma once

#include "auth/dns/dns.h"

#include <stdio.h>

/*
 * Looks at what a domain says of its mail in the DNS, and tells in plain words what is wrong with
 * it. The questions go through a function, so that a test answers them.
 */

#define DNS_CHECK_SEVERITIES(X)                                                                    \
	X(OK, "ok")           /* as it should be */                                                \
	X(NOTE, "note")       /* good to know */                                                   \
	X(WARNING, "warning") /* works, but not as one would want */                               \
	X(UNKNOWN, "unknown") /* no answer: cannot be told now */                                  \
	X(PROBLEM, "problem") /* mail is lost or fails because of it */

enum dns_check_severity {
#define X(name, word) DNS_CHECK_##name,
	DNS_CHECK_SEVERITIES(X)
#undef X
		DNS_CHECK_SEVERITY_COUNT
};

/* Questions in all; records can lead to ever more. */
#define DNS_CHECK_QUESTIONS_MAX 300

struct dns_check {
	/* The answer, held for the caller, parsed by auth_dns_parsers; never NULL. */
	const struct dns_answer *(*ask)(void *arg, const struct dns_question *question);
	void *arg;
	FILE *out;        /* a line a finding: part, severity, words */
	const char *part; /* of what is looked at */
	unsigned asked;
	unsigned found[DNS_CHECK_SEVERITY_COUNT];
};

/* `domain` in A-labels; the DKIM keys looked at are those of `n` selectors. */
void dns_check_run(
	struct dns_check *check, struct bytes domain, const char *const *selectors, unsigned n);
