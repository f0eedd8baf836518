#pragma once

#include "auth/dns/dns.h"
#include "auth/result.h"
#include "base/bytes.h"
#include "base/ip_addr.h"

/*
 * The client's host name, by reverse look-up and back (RFC 8601 §2.7.3, RFC 1912 §2.1).
 */
#define IPREV_MAX_NAMES 10

struct iprev {
	struct dns_asks *asks;
	struct ip_addr client;
	bool done, failed;
	unsigned n, open;
	struct bytes names[IPREV_MAX_NAMES];
	enum auth_result result;
	struct bytes name; /* the first that leads back; empty where none does */
};

/* Asks at once. `iprev` must stay in place until done. */
void iprev_begin(struct iprev *iprev, struct dns_asks *asks, const struct ip_addr *client);
