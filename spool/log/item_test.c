#include "spool/log/item.h"

#include "base/testing.h"

#define MANY 5000u

static void the_table_finds_all_that_is_in_it_and_nothing_else(void **state)
{
	static bool in[MANY];
	uint64_t random = test_seed(3);
	struct item_table t;
	uint64_t count = 0;

	(void)state;
	assert_int_equal(item_table_init(&t), 0);
	for (unsigned i = 0; i < 10 * MANY; i++) {
		uint32_t n = (uint32_t)(test_random(&random) % MANY);
		uint64_t id = (uint64_t)n << 10 | 3;

		assert_int_equal(item_table_find(&t, id) != NULL, in[n]);
		if (in[n])
			spool_item_release(item_table_take(&t, id));
		else
			assert_int_equal(item_table_put(&t, item_new(id, 1)), 0);
		in[n] = !in[n];
		count += in[n] ? 1 : UINT64_MAX;
		assert_int_equal(t.count, count);
	}
	for (uint32_t n = 0; n < MANY; n++)
		assert_int_equal(item_table_find(&t, (uint64_t)n << 10 | 3) != NULL, in[n]);
	assert_null(item_table_take(&t, 1));
	item_table_fini(&t);
}

static void recipients_are_done_once_however_many_there_are(void **state)
{
	static const uint32_t counts[] = {1, 64, 65, SPOOL_MAX_RECIPIENTS};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct spool_item *item = item_new(1, counts[i]);

		assert_false(spool_item_recipient_done(item, counts[i] - 1));
		assert_true(item_set_done(item, counts[i] - 1));
		assert_false(item_set_done(item, counts[i] - 1));
		assert_true(spool_item_recipient_done(item, counts[i] - 1));
		/* There is no such recipient, so nothing is left to do for it. */
		assert_true(spool_item_recipient_done(item, counts[i]));
		assert_false(item_set_done(item, counts[i]));
		spool_item_release(item);
	}
}

static void memory_is_kept_within_its_account(void **state)
{
	struct item_account account = {.max = 2 * (sizeof(struct item_memory) + 100)};
	struct item_memory *a, *b;
	char data[100] = {0};

	(void)state;
	a = item_memory_new(&account, data, 100);
	b = item_memory_new(&account, data, 100);
	assert_true(a && b);
	assert_null(item_memory_new(&account, data, 1));
	item_memory_release(item_memory_hold(a));
	item_memory_release(a);
	a = item_memory_new(&account, data, 100);
	assert_non_null(a);
	item_memory_release(a);
	item_memory_release(b);
	assert_int_equal(account.used, 0);
}

static void a_mail_counts_once_in_each_segment_it_has_bytes_in(void **state)
{
	struct spool_item *item = item_new(1, 1);
	struct item_extents *parts = NULL;
	struct segment a = {0}, b = {0};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(item_extents_add(&parts, &a, 10), 0);
		assert_int_equal(item_extents_add(&parts, &b, 1), 0);
	}
	assert_int_equal(a.live, 1);
	assert_int_equal(a.live_octets, 50);
	item_place(item, &b, 0, 100, parts);
	assert_int_equal(b.live, 2); /* the commit and the extents */
	assert_int_equal(b.live_octets, 105);
	item_unplace(item);
	assert_int_equal(a.live + b.live, 0);
	assert_int_equal(a.live_octets + b.live_octets, 0);
	spool_item_release(item);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_finds_all_that_is_in_it_and_nothing_else),
		cmocka_unit_test(recipients_are_done_once_however_many_there_are),
		cmocka_unit_test(memory_is_kept_within_its_account),
		cmocka_unit_test(a_mail_counts_once_in_each_segment_it_has_bytes_in),
	};

	return cmocka_run_group_tests_name("spool/log item", tests, NULL, NULL);
}
