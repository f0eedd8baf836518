#pragma once

#include "base/bytes.h"

#include <stdbool.h>

/*
 * Reverse-path and forward-path of RFC 5321 §4.1.2. The address as given (for the envelope) with
 * its parts; source routes are read and dropped (§4.1.1.3).
 */
struct smtp_path {
	struct bytes address; /* local-part@domain without <>; empty = null reverse-path */
	struct bytes local;   /* as given, quotes included */
	struct bytes domain;  /* as given; with brackets where it is an address literal; empty for
				 <postmaster> */
	bool is_literal;
};

#define SMTP_LOCAL_MAX  64
#define SMTP_DOMAIN_MAX 255
#define SMTP_PATH_MAX   256

/*
 * Parse a path at the start of *rest (blanks before it are skipped: FACTS §10.6) and step over it.
 * `null_ok` allows
 * <>, `postmaster_ok` <postmaster>. UTF-8 octets are refused (no SMTPUTF8 yet). false: syntax
 * error.
 */
bool smtp_path_parse(struct bytes *rest, bool null_ok, bool postmaster_ok, struct smtp_path *path);
/* A mailbox without <>. */
bool smtp_mailbox_parse(struct bytes text, struct smtp_path *path);
/* A domain name or address literal, as EHLO takes it. */
bool smtp_domain_valid(struct bytes domain);
bool smtp_literal_valid(struct bytes literal);
