#pragma once

#include "base/bytes.h"
#include "gateway/smtp/smtp_path.h"

/*
 * Who may be written to: our domains, and a file of addresses. Immutable once made; read by any
 * thread. A reload makes a new one.
 */
struct recipients;

/*
 * `file` NULL: every local part of our domains. Lines of a file: an address, or @domain for all of
 * a domain; # starts a comment. 0 or -errno with file and line in `why`.
 */
int recipients_new(const char *const *domains, unsigned n_domains, const char *postmaster,
	const char *file, struct recipients **out, struct text *why);
void recipients_free(struct recipients *recipients);

enum recipients_answer {
	RECIPIENTS_OK,
	RECIPIENTS_POSTMASTER, /* taken whatever else is said, and exempt from refusals (DESIGN §7)
				*/
	RECIPIENTS_UNKNOWN,
	RECIPIENTS_FOREIGN, /* not our domain: relaying */
};

enum recipients_answer recipients_check(
	const struct recipients *recipients, const struct smtp_path *path);

/* The address to deliver to for <postmaster> without a domain. */
struct bytes recipients_postmaster(const struct recipients *recipients);
