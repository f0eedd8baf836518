#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Networks kept out or let in by hand (`postern deny`, `postern allow`), since the kernel's
 * firewall does not see packets that pass it by. A table is immutable: who changes the rules makes
 * a new one and hands it to each lcore. The longest network that holds an address decides; where
 * none does, it is let in.
 */

#define ACCESS_RULES_MAX 16384

/* No end: a rule that stands. Others lie over it for the same network until they end. */
#define ACCESS_FOREVER UINT64_MAX

#define ACCESS_VERBS(X)                                                                            \
	X(DENY, "deny")                                                                            \
	X(ALLOW, "allow")

enum access_verb {
#define X(name, word) ACCESS_##name,
	ACCESS_VERBS(X)
#undef X
		ACCESS_VERB_COUNT
};

const char *access_verb_word(enum access_verb verb);

struct access_rule {
	struct ip_cidr net;
	uint8_t verb; /* enum access_verb */
	uint64_t until_us;
};

/*
 * Order of rules: by network, a wider one before those within it, a standing rule before one for
 * a time. No two rules of a table are equal in it.
 */
int access_rule_cmp(const struct access_rule *a, const struct access_rule *b);

struct access_table;

/*
 * A table of `n` rules in any order, whose times are on the clock that access_denies() is asked by.
 * 0 or -errno (-ENOSPC: over ACCESS_RULES_MAX).
 */
int access_table_new(const struct access_rule *rules, unsigned n, struct access_table **out);
void access_table_free(struct access_table *table);

bool access_table_denies(
	const struct access_table *table, const struct ip_addr *addr, uint64_t now_us);

/* NULL is the empty table, and the usual one. */
static inline bool access_denies(
	const struct access_table *table, const struct ip_addr *addr, uint64_t now_us)
{
	return __builtin_expect(table != NULL, 0) && access_table_denies(table, addr, now_us);
}
