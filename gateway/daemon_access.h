#pragma once

#include "gateway/policy/access_list.h"

#include <stdio.h>

/*
 * What `postern deny` and `postern allow` ask of the daemon: the main thread keeps the rules, in a
 * file `access` in the spool's folder, and hands a table of them to every lcore.
 */
struct daemon;

#define DAEMON_ACCESS_GARBAGE_MAX 16

struct daemon_access {
	struct access_list list;
	char *path;
	struct access_table *table; /* in use; NULL: none */
	/* Tables that an lcore may still look at. */
	struct access_table *old[DAEMON_ACCESS_GARBAGE_MAX];
	unsigned n_old;
};

/* Before the workers run: load the rules. 0 or -errno with the reason. */
int daemon_access_start(struct daemon *daemon, struct text *why);
/* After they ended. */
void daemon_access_end(struct daemon *daemon);

/* Commands of the control socket. `NETWORK [SECONDS]`: a rule, from now on. */
int daemon_access_deny(void *daemon, unsigned argc, const char *const *argv, FILE *out);
int daemon_access_allow(void *daemon, unsigned argc, const char *const *argv, FILE *out);
/* `NETWORK`: forget what was said of it. */
int daemon_access_remove(void *daemon, unsigned argc, const char *const *argv, FILE *out);
/* A line a rule, as in the file. */
int daemon_access_show(void *daemon, unsigned argc, const char *const *argv, FILE *out);
