#include "dataplane/port/access.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Networks nest or are apart. So among rules in order, the last that does not begin behind an
 * address is the narrowest that holds it, or lies within that one: a binary search and a walk
 * outward find it.
 */
struct entry {
	struct access_rule rule;
	int32_t around; /* the narrowest rule that holds this one; -1: none */
};

struct access_table {
	unsigned n;
	struct entry entries[];
};

const char *access_verb_word(enum access_verb verb)
{
	static const char *const words[] = {
#define X(name, word) [ACCESS_##name] = word,
		ACCESS_VERBS(X)
#undef X
	};

	return words[verb];
}

int access_rule_cmp(const struct access_rule *a, const struct access_rule *b)
{
	int order = ip_addr_cmp(&a->net.addr, &b->net.addr);

	if (order == 0)
		order = (int)a->net.prefix_len - (int)b->net.prefix_len;
	if (order == 0)
		order = (a->until_us != ACCESS_FOREVER) - (b->until_us != ACCESS_FOREVER);
	return order;
}

static int compare_entries(const void *a, const void *b)
{
	return access_rule_cmp(&((const struct entry *)a)->rule, &((const struct entry *)b)->rule);
}

/* Whether `outer` holds `inner` as 128-bit numbers, families aside. */
static bool holds(const struct ip_cidr *outer, const struct ip_cidr *inner)
{
	unsigned whole = outer->prefix_len / 8, rest = outer->prefix_len % 8;

	if (outer->prefix_len > inner->prefix_len ||
		memcmp(outer->addr.octets, inner->addr.octets, whole) != 0)
		return false;
	return rest == 0 ||
	       (outer->addr.octets[whole] ^ inner->addr.octets[whole]) >> (8 - rest) == 0;
}

static void nest(struct access_table *table)
{
	struct entry *entries = table->entries;

	for (unsigned i = 0; i < table->n; i++) {
		int32_t around = (int32_t)i - 1;

		while (around >= 0 && !holds(&entries[around].rule.net, &entries[i].rule.net))
			around = entries[around].around;
		entries[i].around = around;
	}
}

int access_table_new(const struct access_rule *rules, unsigned n, struct access_table **out)
{
	struct access_table *table;

	if (n > ACCESS_RULES_MAX)
		return -ENOSPC;
	table = malloc(sizeof(*table) + n * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	table->n = n;
	for (unsigned i = 0; i < n; i++)
		table->entries[i] = (struct entry){.rule = rules[i]};
	qsort(table->entries, n, sizeof(table->entries[0]), compare_entries);
	nest(table);
	*out = table;
	return 0;
}

void access_table_free(struct access_table *table)
{
	free(table);
}

/* The last rule whose network does not begin behind `addr`; -1 if all do. */
static int32_t last_not_behind(const struct access_table *table, const struct ip_addr *addr)
{
	unsigned low = 0, high = table->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (ip_addr_cmp(&table->entries[middle].rule.net.addr, addr) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (int32_t)low - 1;
}

bool access_table_denies(
	const struct access_table *table, const struct ip_addr *addr, uint64_t now_us)
{
	const struct entry *entries = table->entries;

	for (int32_t i = last_not_behind(table, addr); i >= 0; i = entries[i].around) {
		const struct access_rule *rule = &entries[i].rule;

		if (rule->until_us > now_us && ip_cidr_match(&rule->net, addr))
			return rule->verb == ACCESS_DENY;
	}
	return false;
}
