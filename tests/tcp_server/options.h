/* The command line of tcp-server. */
#pragma once

#include "dataplane/lcore.h"

struct options {
	const char *control; /* path of the unix socket */
	struct port_config port;
	struct lcore_config lcore;
	bool seeded; /* by --seed: keys that are the same in every run */
	uint64_t seed;
};

/* Exits, with the reason on standard error, where it cannot be used (64). */
void options_parse(int argc, char **argv, struct options *options);
