#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"

/*
 * The Received field that this gateway puts on top of a mail (RFC 5321 §4.4, DESIGN §7). What the
 * client said is escaped: octets that could end or restructure the field become `+HH`
 * (hexadecimal).
 */
struct received {
	struct bytes helo;        /* as given by the client */
	struct bytes client_name; /* verified (iprev); empty: "unknown" */
	struct ip_addr client;
	struct bytes tls_version, tls_cipher; /* empty in clear text */
	struct bytes host;
	struct bytes protocol; /* ESMTP, ESMTPS, UTF8SMTPS... (RFC 3848, RFC 6531 §4.3) */
	struct bytes queue_id;
	struct bytes recipient; /* the only one, without <>; empty where there are several */
	uint64_t unix_s;        /* printed as UTC */
};

#define RECEIVED_MAX 2048 /* no field is longer */

/* The whole field with its CRLF. */
void received_put(const struct received *received, struct text *out);
