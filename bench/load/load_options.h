/* The command line of postern-load. */
#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"

#define LOAD_MAX_ADDRESSES 32u
#define LOAD_MAX_SOURCES   64u

/* None of these may be passed: the generator is to end what it begins, on the machine it is on. */
#define LOAD_MAX_SESSIONS 2000000u
#define LOAD_MAX_TIME_S   86400u
#define LOAD_MAX_RATE     20000000u

struct load_options {
	struct ip_addr server;
	uint32_t port;

	const char *device; /* of our own stack; NULL: kernel sockets */
	struct ip_cidr addresses[LOAD_MAX_ADDRESSES];
	unsigned n_addresses;
	struct ip_addr gateway4, gateway6;
	uint32_t memory_mb;
	struct ip_addr sources[LOAD_MAX_SOURCES]; /* kernel sockets are bound to these in turn */
	unsigned n_sources;

	uint32_t connections;
	uint32_t mails; /* of one connection; 0: endless */
	uint32_t total; /* 0: no limit */
	uint32_t time_s, warmup_s;
	const char *folder;
	uint32_t size; /* of the generated mail, where there is no folder */
	const char *from, *to, *helo;
	bool pipelining;

	uint32_t idle, noop_rate;
	uint32_t opening; /* connections being opened at once */
	uint32_t timeout_s;

	uint32_t flood_rate; /* SYNs a second; 0: none */
	struct ip_cidr flood_from;

	const char *json; /* file, or "-" */
	bool quiet;
};

/*
 * 0, -EINVAL with the reason in `why`, or -ECANCELED where --help was asked for. Texts of `argv`
 * are borrowed.
 */
int load_options_parse(int argc, char **argv, struct load_options *options, struct text *why);
void load_options_help(struct text *out);
/* Room for the help. */
#define LOAD_HELP_MAX 8192u
