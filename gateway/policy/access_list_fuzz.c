/*
 * A file of access rules from any octets: refused with its name and line, or read, and then written
 * and read again it is the same, in order, without a rule twice, and its table decides.
 */
#include "gateway/policy/access_list.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US   UINT64_C(1795524994000000)
#define LINE_MAX 128

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* 0 or the error; the list is to be ended either way. */
static int parse(struct bytes content, struct access_list *list)
{
	char reason[256];
	struct text why;
	int error;

	*list = (struct access_list){0};
	text_init(&why, reason, sizeof(reason));
	error = access_list_parse(list, content, "access", &why);
	require((error != 0) == (why.len > 0));
	require(error == 0 || bytes_starts(text_bytes(&why), BYTES("access")));
	return error;
}

static void check_again(const struct access_list *list)
{
	size_t room = (size_t)list->n * LINE_MAX + 1;
	char *content = malloc(room);
	struct access_list again;
	struct text out;

	require(content != NULL);
	text_init(&out, content, room);
	for (unsigned i = 0; i < list->n; i++) {
		access_list_put(&list->rules[i], &out);
		text_putc(&out, '\n');
	}
	require(!out.overflow && parse(text_bytes(&out), &again) == 0 && again.n == list->n);
	for (unsigned i = 0; i < list->n; i++) {
		require(access_rule_cmp(&again.rules[i], &list->rules[i]) == 0);
		require(again.rules[i].verb == list->rules[i].verb);
		require(again.rules[i].until_us == list->rules[i].until_us);
	}
	access_list_fini(&again);
	free(content);
}

/* Whatever stands alone in an address's network decides about it. */
static void check_table(const struct access_list *list)
{
	struct access_table *table;

	require(access_list_table(list, NOW_US, 1000, &table) == 0);
	for (unsigned i = 0; i < list->n; i++) {
		const struct access_rule *rule = &list->rules[i];
		bool denied = access_denies(table, &rule->net.addr, 1000);

		require(i == 0 || access_rule_cmp(rule - 1, rule) < 0);
		if (list->n == 1 && rule->until_us == ACCESS_FOREVER)
			require(denied == (rule->verb == ACCESS_DENY));
	}
	access_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct access_list list;

	if (parse(bytes_of(data, size), &list) == 0) {
		check_again(&list);
		check_table(&list);
		access_list_expire(&list, NOW_US);
		for (unsigned i = 0; i < list.n; i++)
			require(list.rules[i].until_us > NOW_US);
	}
	access_list_fini(&list);
	return 0;
}
