#pragma once

#include "auth/verdict.h"

/*
 * The Authentication-Results field of a verdict (RFC 8601 §2): every method that was tried, with
 * what it was tried on.
 */
struct verdict_envelope {
	struct bytes authserv_id;
	struct ip_addr client;
	struct bytes helo, mail_from;
};

/* DKIM signatures told of: those that pass first. */
#define VERDICT_AUTHRES_MAX_DKIM 10
/* What `out` must hold at least. */
#define VERDICT_AUTHRES_ROOM 16384

/* Whole and ended by CRLF, whatever is in it. */
void verdict_authres_write(const struct auth_verdict *verdict,
	const struct verdict_envelope *envelope, struct text *out);
