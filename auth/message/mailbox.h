#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;

/*
 * The author domains of a From field (RFC 5322 §3.6.2, RFC 6532; DESIGN §7): mailbox-list or group
 * syntax with comments, quoted strings, routes and encoded words read the way a mail client reads
 * them, so that no display name passes for an address.
 */
#define MAILBOX_MAX_DOMAINS 8

enum mailbox_status {
	MAILBOX_OK,
	MAILBOX_NONE,      /* no address with a domain name in it */
	MAILBOX_MALFORMED, /* not to be read without guessing: treated like several domains */
	MAILBOX_TOO_MANY,  /* domains or addresses; or the arena is at its bound */
};

struct mailbox_domains {
	unsigned n; /* different domains, A-labels, lower case */
	struct bytes domain[MAILBOX_MAX_DOMAINS];
	unsigned n_addresses;
};

enum mailbox_status mailbox_domains_parse(
	struct bytes field_value, struct arena *arena, struct mailbox_domains *out);

/*
 * U-labels to A-labels and lower case (UTS 46), without a final dot; false where it is no domain
 * name (letters, digits, '-', '_') or the arena is at its bound. What is in that form already needs
 * no arena and is returned as it is. Only a name that is one becomes `*out`.
 */
bool mailbox_domain_to_ascii(struct bytes domain, struct arena *arena, struct bytes *out);
