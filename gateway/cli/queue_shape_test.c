#include "gateway/cli/queue_shape.h"

#include "base/testing.h"

#include <stdlib.h>

#define MINUTE_US UINT64_C(60000000)

static char *printed(struct queue_shape *shape, bool json)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	queue_shape_print(shape, json, out);
	fclose(out);
	return text;
}

static void recipients_are_counted_by_domain_and_age(void **state)
{
	struct queue_shape *shape = queue_shape_new();
	char *text;

	(void)state;
	queue_shape_add(shape, BYTES("a@x.example"), 0);
	queue_shape_add(shape, BYTES("b@X.example"), 5 * MINUTE_US);
	queue_shape_add(shape, BYTES("c@x.example"), 5000 * MINUTE_US);
	queue_shape_add(shape, BYTES("a@y.example"), 5 * MINUTE_US - 1);
	text = printed(shape, false);
	assert_non_null(strstr(text, "  TOTAL      4     2     1     0     0"));
	assert_non_null(strstr(text, "x.example      3     1     1     0     0     0     0     0"
				     "     0     0     0     1\n"));
	assert_true(strstr(text, "x.example") < strstr(text, "y.example"));
	free(text);
	queue_shape_free(shape);
}

static void odd_addresses_are_no_trouble(void **state)
{
	struct queue_shape *shape = queue_shape_new();
	char *text;

	(void)state;
	queue_shape_add(shape, BYTES(""), 0);
	queue_shape_add(shape, BYTES("a@b\n\x1b[2J"), 0);
	queue_shape_add(shape, BYTES("nodomain"), 0);
	text = printed(shape, true);
	assert_non_null(strstr(text, "{\"domain\":\"<>\",\"total\":1,"));
	assert_non_null(strstr(text, "\"b??[2j\""));
	assert_non_null(strstr(text, "\"nodomain\""));
	free(text);
	queue_shape_free(shape);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients_are_counted_by_domain_and_age),
		cmocka_unit_test(odd_addresses_are_no_trouble),
	};

	return cmocka_run_group_tests_name("cli queue_shape", tests, NULL, NULL);
}
