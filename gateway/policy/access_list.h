#pragma once

#include "base/bytes.h"
#include "dataplane/port/access.h"

/*
 * The rules of `postern deny` and `postern allow` as the daemon keeps them: in memory, and in a
 * file beside the spool, so that they outlive a restart and a reboot. Times are microseconds since
 * 1970. A line of the file is `deny NETWORK` or `allow NETWORK`, with `until UNIXTIME` behind it
 * where the rule ends; # starts a comment.
 */

struct access_list {
	unsigned n, room;
	struct access_rule *rules; /* in the order of access_rule_cmp() */
};

void access_list_fini(struct access_list *list);

/*
 * A rule in the place of one for the same network. One that stands (ACCESS_FOREVER) also ends one
 * for a time; one for a time lies over the one that stands, which holds again after it. 0, -ENOSPC
 * at ACCESS_RULES_MAX, -ENOMEM.
 */
int access_list_set(struct access_list *list, const struct access_rule *rule);
/* Forget what is said of exactly this network. Returns how many rules that was. */
unsigned access_list_remove(struct access_list *list, const struct ip_cidr *net);
/* Forget rules that have ended; returns how many. */
unsigned access_list_expire(struct access_list *list, uint64_t now_unix_us);

/* Read the lines of a file into `list`. 0 or -errno; `why` names `file`, line and what is wrong. */
int access_list_parse(
	struct access_list *list, struct bytes content, const char *file, struct text *why);
/* A rule as its line, without the end. */
void access_list_put(const struct access_rule *rule, struct text *out);

/* No file is an empty list. 0 or -errno with the reason. */
int access_list_load(struct access_list *list, const char *path, struct text *why);
/* Written beside the old one, synced, and put in its place. 0 or -errno. */
int access_list_save(const struct access_list *list, const char *path);

/*
 * A table of the rules on the monotonic clock; NULL where there are none. 0 or -errno.
 */
int access_list_table(const struct access_list *list, uint64_t now_unix_us, uint64_t now_mono_us,
	struct access_table **out);
